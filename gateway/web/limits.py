"""How long the texts are that people and programs may send, by the API or by a form; in characters."""

MAX_NOTE_CHARS = 4_000
MAX_REASON_CODE_CHARS = 100
MAX_RESPONSE_CHARS = 100_000
MAX_RESULT_CHARS = 100_000
MAX_SUMMARY_CHARS = 20_000
MAX_KEY_CHARS = 255  #: of an Idempotency-Key
