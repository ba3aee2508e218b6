// The stories of Redis clients over the fake cluster: what the door itself gets right or wrong.

import { clientStories } from './client-stories.js'
import { startServer } from './harness.js'

clientStories(startServer)
