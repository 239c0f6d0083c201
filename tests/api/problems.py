"""Reading refusals."""

from httpx2 import Response


def code_of(response: Response) -> tuple[int, str]:
    """Status and code of a problem document that has all its members."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert set(problem) >= {"type", "title", "detail", "code"}
    return response.status_code, problem["code"]
