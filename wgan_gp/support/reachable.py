"""Whether a server answers, asked before a library that would wait for minutes."""

import http.client
import threading
import urllib.request

SECONDS = 5


def is_reachable(url: str) -> bool:
    """Whether `url` answers soon. In a thread, since looking a name up obeys no time-out."""
    answers = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as reply:
                answers.append(reply.status)
        except (OSError, http.client.HTTPException):
            pass

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(SECONDS)
    return bool(answers)
