"""One function is one transaction; the API and the pages call the same ones."""
