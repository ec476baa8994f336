"""A terminal with a small job control shell on it, for tests of x07-limit.

usage: limit_pty.py STEPS PROGRAM [ARGUMENT ...]

STEPS, separated by commas, are done in turn while the program runs as the
foreground job:
  wait:TEXT  until the job has written TEXT      key:C     type control-C
  stopped    until the shell sees the job stop    cont      continue it (fg)
  alive:MS   the job must not end for MS          kill:SIG  kill(2) its group
  sup:SIG    kill(2) the job's leader alone       end       until it has ended
  tree:SIG   kill(2) the leader's children
Prints what the job wrote, then "status N" as $? would be.
"""
import os
import pty
import select
import signal
import sys
import time

LIMIT = 60


def shell(argv, report):
    """Runs in the terminal: one job, in the foreground."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    job = os.fork()
    if job == 0:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpgrp())
        # Whoever runs the tests may ignore some.
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            if number < signal.SIGRTMIN:
                signal.signal(number, signal.SIG_DFL)
        os.execvp(argv[0], argv)
    try:
        os.setpgid(job, job)
    except OSError:
        pass
    os.write(report, b"pid %d\n" % job)
    while True:
        done, status = os.waitpid(job, os.WUNTRACED | os.WNOHANG)
        if done == 0:
            if signal.sigtimedwait([signal.SIGUSR1], 0.01):
                os.tcsetpgrp(0, job)
                os.killpg(job, signal.SIGCONT)
            continue
        os.tcsetpgrp(0, os.getpgrp())
        if not os.WIFSTOPPED(status):
            break
        os.write(report, b"stopped %d\n" % os.WSTOPSIG(status))
    code = os.waitstatus_to_exitcode(status)
    os.write(report, b"status %d\n" % (code if code >= 0 else 128 - code))
    os._exit(0)


class Terminal:
    def __init__(self, argv):
        reader, writer = os.pipe()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
        self.shell, self.fd = pty.fork()
        if self.shell == 0:
            os.close(reader)
            shell(argv, writer)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
        os.close(writer)
        self.report = reader
        self.text = b""
        self.said = b""

    def pump(self, timeout):
        ready, _, _ = select.select([self.fd, self.report], [], [], timeout)
        for fd in ready:
            try:
                data = os.read(fd, 65536)
            except OSError:
                data = b""
            if fd == self.fd:
                self.text += data
            else:
                self.said += data
        if ready:
            time.sleep(0.001)

    def until(self, what, condition):
        end = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > end:
                sys.exit("gave up: %s\nwritten: %r\nshell: %r" %
                         (what, self.text, self.said))
            self.pump(0.05)

    def job(self):
        self.until("start", lambda: b"pid" in self.said and b"\n" in self.said)
        return int(self.said.split()[1])

    def step(self, step):
        name, _, arg = step.partition(":")
        if name == "wait":
            self.until(step, lambda: arg.encode() in self.text)
            self.text = self.text.replace(arg.encode(), b"<seen>", 1)
        elif name == "key":
            os.write(self.fd, bytes([ord(arg) & 31]))
        elif name == "stopped":
            self.until(step, lambda: b"stopped" in self.said)
            self.said = self.said.replace(b"stopped", b"was", 1)
        elif name == "cont":
            os.kill(self.shell, signal.SIGUSR1)
        elif name == "kill":
            os.killpg(self.job(), getattr(signal, "SIG" + arg))
        elif name == "sup":
            os.kill(self.job(), getattr(signal, "SIG" + arg))
        elif name == "tree":
            with open("/proc/%d/task/%d/children" % (self.job(), self.job())) as f:
                for child in f.read().split():
                    os.kill(int(child), getattr(signal, "SIG" + arg))
        elif name == "alive":
            end = time.monotonic() + int(arg) / 1000
            while time.monotonic() < end:
                self.pump(0.02)
            if b"status" in self.said:
                sys.exit("ended too soon: %r %r" % (self.text, self.said))
        elif name == "end":
            self.until(step, lambda: b"status" in self.said)
        else:
            sys.exit("no such step: " + step)


def main():
    term = Terminal(sys.argv[2:])
    for step in sys.argv[1].split(","):
        term.step(step)
    term.until("end", lambda: b"status" in term.said)
    term.pump(0.1)
    sys.stdout.write(term.text.decode("ascii", "replace").replace("\r", ""))
    print([line for line in term.said.decode().splitlines()
           if line.startswith("status")][0])


main()
