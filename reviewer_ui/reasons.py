"""The reasons to reject that need no writing."""

#: Why a call is rejected, for those who do not want to write: what the log keeps, and what the model is told.
REASONS = {
    "wrong_target": "This is about the wrong person or thing.",
    "wrong_value": "An amount or another value in it is wrong.",
    "not_needed": "This is not needed.",
    "done_already": "This was done already.",
    "more_information": "More information is needed before this can be decided.",
    "against_rules": "This is against our rules.",
}
