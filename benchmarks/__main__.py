"""`make bench [ONLY=accept]`: runs every benchmark and prints what it found."""

import sys

from benchmarks import accept, footprint, log_templates, own_time, recall

ALL = {"accept": accept.run, "recall": recall.run, "log_templates": log_templates.run, "own_time": own_time.run, "footprint": footprint.run}

for name in sys.argv[1:] or ALL:
    ALL[name]()
