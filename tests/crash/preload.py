"""Imported by the fork server alone: all that a life of the gateway imports, once for all of them.

Starting costs a tenth that way, and killing is what most tests here do.
"""

import gc

import tests.crash.counter
import tests.crash.process

tests.crash.process.put_points()

# A full collection looks at everything that was imported; a life begins with one.
gc.collect()
gc.freeze()
