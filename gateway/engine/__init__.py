"""The only import of dbos: durable queues whose rows are written inside our transactions."""
