"""How a program here is given orders: one JSON object a line on standard input, {"do": NAME, ...}.

Each is a call of the method of that name; answered with {"ok": what it returned} or {"error": "..."}.
"""

import json
import sys


def serve(program):
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer = {"ok": getattr(program, order.pop("do"))(**order)}
        except Exception as error:  # the test shows it and fails
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
