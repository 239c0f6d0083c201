"""What Countersign takes in time and memory, one file per figure; `make bench` prints one JSON line each."""
