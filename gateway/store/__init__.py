"""The only SQL: tables, transactions, and one file of queries per noun."""
