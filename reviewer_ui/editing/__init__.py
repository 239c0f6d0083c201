"""Changing a call's arguments on the review page: fields made of the schema, exact JSON made of the fields."""
