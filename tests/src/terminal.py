"""Runs a command on a pseudo terminal, types answers when their questions are seen, prints what was shown as JSON."""
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

job = json.loads(os.environ.pop("JOB"))
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, job["columns"], 0, 0))
    os.chdir(job["folder"])
    os.execv(job["command"][0], job["command"])
screen, answers, since = b"", list(job["answers"]), time.monotonic()
while True:
    ready, _, _ = select.select([terminal], [], [], 0.2)
    if ready:
        try:
            data = os.read(terminal, 65536)
        except OSError:  # The other side is closed: the command has ended.
            break
        if not data:
            break
        screen += data
    if answers and answers[0][0].encode() in screen:
        open(os.path.join(job["folder"], "asked"), "w").close()
        while job["held"] and not os.path.exists(os.path.join(job["folder"], "may-answer")):
            time.sleep(0.02)
        os.write(terminal, answers.pop(0)[1].encode())
    if time.monotonic() - since > 90:
        sys.exit("not seen: %r in %r" % (answers, screen))
_, status = os.waitpid(pid, 0)
print(json.dumps({"code": os.waitstatus_to_exitcode(status), "screen": screen.decode(errors="replace")}))
