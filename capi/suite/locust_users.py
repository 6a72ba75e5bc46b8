"""What locust's users do in suite_locust.py: they ask nobody, and say that they have. Each worker counts what its users have
done, and the master what it was told of."""

import time

from locust import User, constant_pacing, events, task
from locust.runners import WorkerRunner

done = 0


class Asker(User):
    wait_time = constant_pacing(0.05)

    @task
    def ask(self):
        global done
        began = time.perf_counter()
        done += 1
        self.environment.events.request.fire(request_type="ASK", name="question", response_length=4, exception=None,
                                             response_time=(time.perf_counter() - began) * 1000, context={})


@events.quitting.add_listener
def told(environment, **_):
    if isinstance(environment.runner, WorkerRunner):
        print(f"counted {done}", flush=True)
