"""Runs a command in a real pseudo-terminal and types Ctrl-C once a text is on the screen.

python type_ctrl_c.py TEXT COMMAND [ARGUMENT ...]; copies the screen to standard output, exits as the command did.
"""

import fcntl
import os
import pty
import re
import struct
import sys
import termios

ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
CTRL_C = b"\x03"


def main() -> int:
    """Exit code of the command, or 128 + the signal that ended it."""
    awaited, *command = sys.argv[1:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    screen = b""
    typed = False
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:
            break
        if not chunk:
            break
        os.write(1, chunk)
        screen += chunk
        if not typed and awaited.encode() in ESCAPES.sub(b"", screen):
            os.write(terminal, CTRL_C)
            typed = True
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
