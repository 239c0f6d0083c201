"""What the API and the pages share of HTTP: the site's address and cookie, who is signed in, headers, bodies."""
