"""Jupyter's client, for tests/apps/calculator_kernel.rs: it starts the kernel, and does with it what a notebook does."""

import json
import tempfile
from pathlib import Path

from orders import serve

PATIENCE = 30


class Program:
    def start(self, program):
        """Starts the kernel as its kernelspec says; returns what it says it is. None: there is no jupyter_client here."""
        try:
            from jupyter_client import KernelManager
            from jupyter_client.kernelspec import KernelSpecManager
        except ImportError:
            return None
        self.folder = tempfile.TemporaryDirectory()
        kernels = Path(self.folder.name)
        (kernels / "calculator").mkdir()
        spec = {
            "argv": [program, "{connection_file}"],
            "display_name": "Calculator",
            "language": "arithmetic",
            "interrupt_mode": "message",
        }
        (kernels / "calculator" / "kernel.json").write_text(json.dumps(spec))
        specs = KernelSpecManager(kernel_dirs=[str(kernels)])
        self.manager = KernelManager(
            kernel_name="calculator",
            kernel_spec_manager=specs,
            connection_file=str(kernels / "connection.json"),
        )
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        info = self.client.kernel_info(reply=True, timeout=PATIENCE)
        return info["content"]["implementation"]

    def execute(self, code):
        printed, value = "", None

        def output(message):
            nonlocal printed, value
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
            elif message["msg_type"] == "execute_result":
                value = content["data"]["text/plain"]
            elif message["msg_type"] == "error":
                value = content["evalue"]

        reply = self.client.execute_interactive(
            code, output_hook=output, allow_stdin=False, timeout=PATIENCE
        )
        return [reply["content"]["status"], printed, value]

    def complete(self, code):
        reply = self.client.complete(code, len(code), reply=True, timeout=PATIENCE)
        return reply["content"]["matches"]

    def forge(self, code):
        """Asks with another key than the kernel's, and then by the right one: only that is answered."""
        session = self.client.session
        key = session.key
        session.key = b"another key"
        self.client.execute(code)
        session.key = key
        asked = self.client.kernel_info()
        reply = self.client.get_shell_msg(timeout=PATIENCE)
        assert reply["parent_header"]["msg_id"] == asked, reply

    def is_alive(self):
        return self.client.is_alive() and self.client.hb_channel.is_beating()

    def restart(self):
        self.manager.restart_kernel(now=True)
        self.client.wait_for_ready(timeout=PATIENCE)

    def shutdown(self):
        """Asks it to end, which it does by itself. Returns its exit code."""
        process = self.manager.provisioner.process
        self.client.shutdown(reply=True, timeout=PATIENCE)
        code = process.wait(timeout=PATIENCE)
        self.client.stop_channels()
        return code


serve(Program())
