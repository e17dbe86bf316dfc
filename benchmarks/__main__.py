"""`make bench [ONLY=accept]`: runs every benchmark and prints what it found."""

import sys

from benchmarks import accept, footprint, own_time, recall

ALL = {"accept": accept.run, "recall": recall.run, "own_time": own_time.run, "footprint": footprint.run}

for name in sys.argv[1:] or ALL:
    ALL[name]()
