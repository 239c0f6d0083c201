"""The JSON API: routes and the bodies that clients may send, one file per resource."""
