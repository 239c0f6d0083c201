"""What a worker does with a job: ask the model, run approved calls, record results."""
