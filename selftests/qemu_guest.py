#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The guest in qemu, and what talks to it: a virtio-net driver that works on the
device from outside, through qemu's test socket (-qtest), while the processor that
qemu emulates has halted. The device, its backends and all they ask of a TAP are
qemu's own. The guest answers each UDP packet on the queue that the flow belongs to.

VHOST	not empty: /dev/vhost-net knows the node's queues
TMPDIR	where the sockets and files go
"""

import collections
import os
import select
import socket
import struct
import subprocess
import sys
import time

# Seconds: what anything may take, and when a flow ages.
LIMIT = 60 * int(os.environ.get("TEST_SLOW", "1"))
FLOW_AGEING = 3
PAIRS = 4               # of queues
FLOWS = 16
HOST, GUEST = "192.0.2.1", "192.0.2.2"
MAC = "02:00:00:00:00:02"
PORT = 7
MTU = 9000

# virtio-mmio, version 2
TRANSPORTS, TRANSPORT = range(0xfeb00000, 0xfeb03000, 0x200), 0x74726976
ID, HOST_FEATURES, HOST_SEL, FEATURES, SEL = 0x08, 0x10, 0x14, 0x20, 0x24
QUEUE, SIZE, READY, NOTIFY, STATUS = 0x30, 0x38, 0x44, 0x50, 0x70
DESC, AVAIL, USED = 0x80, 0x90, 0xa0
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK = 1, 2, 4, 8
ID_NET = 1

# virtio-net
F_CSUM, F_GUEST_CSUM, F_MRG_RXBUF, F_CTRL_VQ, F_MQ, F_VERSION_1 = 0, 1, 15, 17, 22, 32
WANTED = (F_CSUM, F_GUEST_CSUM, F_MRG_RXBUF, F_CTRL_VQ, F_MQ, F_VERSION_1)
HEADER = struct.Struct("<BBHHHHH")
NEEDS_CSUM = 1
CTRL_MQ, SET_PAIRS = 4, 0

# A queue's memory: descriptors, the two rings, and room for the data.
ENTRIES = 64
ROOM = 2048
QUEUE_BYTES = 0x40000
USED_OFFSET, AVAIL_OFFSET, ROOM_OFFSET = 0x1000, 0x2000, 0x10000
F_NEXT, F_WRITE = 1, 2


def ip(*args):
    done = subprocess.run(("ip",) + args, capture_output=True, text=True, check=True)
    return done.stdout


RTM_GETLINK = 18
LINKINFO, INFO_DATA, NUM_QUEUES, NUM_DISABLED = 18, 2, 8, 9


def attributes(data):
    """Those of a netlink message."""
    while data:
        size, kind = struct.unpack_from("=HH", data)
        yield kind & 0x3fff, data[4:size]
        data = data[(size + 3) & ~3:]


def queues_of(name):
    """How many are attached and how many detached, which ip shows of a tun only."""
    link = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex(name), 0, 0)
    head = struct.pack("=IHHII", 16 + len(link), RTM_GETLINK, 1, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.send(head + link)
        answer = netlink.recv(65536)
    info = dict(attributes(dict(attributes(answer[32:]))[LINKINFO]))
    data = dict(attributes(info[INFO_DATA]))
    return tuple(struct.unpack("=I", data[key])[0] for key in (NUM_QUEUES, NUM_DISABLED))


def wait_until(condition, what):
    """Nothing announces what the device does to the guest's memory."""
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {LIMIT} s")


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1]))
    if len(data) & 1:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


class Qemu:
    """A running qemu, its memory and its device's registers."""

    def __init__(self, vhost):
        folder = os.environ["TMPDIR"]
        with open(f"{folder}/halt.bin", "wb") as bios:
            code = bytearray(b"\xf4" * 0x10000)
            code[0xfff0:0xfff4] = b"\xfa\xf4\xeb\xfd"   # cli; hlt; and again
            bios.write(code)
        self.log = open(f"{folder}/qemu.log", "w+", encoding="utf-8")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.settimeout(LIMIT)
        self.listener.bind(f"{folder}/qtest-{vhost}")
        self.listener.listen()
        self.process = subprocess.Popen(
            ("qemu-system-x86_64", "-M", "microvm", "-accel", "tcg", "-m", "16",
             "-nodefaults", "-no-user-config", "-display", "none",
             "-bios", f"{folder}/halt.bin", "-qtest", f"unix:{folder}/qtest-{vhost}",
             "-qtest-log", "/dev/null",
             "-global", "virtio-mmio.force-legacy=false",
             "-netdev", "tap,id=net,ifname=guest,script=no,downscript=no,"
             f"queues={PAIRS},vhost={vhost}",
             "-device", f"virtio-net-device,netdev=net,mq=on,mac={MAC}"),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def connect(self):
        """Waits for qemu to come up, and looks for the device."""
        wait_until(lambda: self.process.poll() is not None or
                   select.select([self.listener], [], [], 0.1)[0], "start of qemu")
        if self.process.poll() is not None:
            raise EOFError("qemu has ended: " + self.said())
        self.socket = self.listener.accept()[0]
        self.socket.settimeout(LIMIT)
        self.lines = self.socket.makefile("r")
        self.base = next(base for base in TRANSPORTS
                         if self.load(base) == TRANSPORT and self.load(base + ID) == ID_NET)

    def said(self):
        self.log.seek(0)
        return self.log.read().strip()

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\n")
        while True:
            line = self.lines.readline()
            if not line:
                raise EOFError("qemu has ended: " + self.said())
            if line.startswith("OK"):
                return line[2:].strip()
            if not line.startswith(("IRQ", "[")):
                raise OSError(f"{command[:80]}: {line}")

    def load(self, address):
        return int(self.ask(f"readl 0x{address:x}"), 0)

    def read(self, address, size):
        return bytes.fromhex(self.ask(f"read 0x{address:x} 0x{size:x}")[2:])

    def write(self, address, data):
        self.ask(f"write 0x{address:x} 0x{len(data):x} 0x{data.hex()}")

    def get(self, register):
        return self.load(self.base + register)

    def set(self, register, value):
        self.ask(f"writel 0x{self.base + register:x} 0x{value:x}")

    def vhost_files(self):
        folder = f"/proc/{self.process.pid}/fd"
        return sum(os.readlink(f"{folder}/{fd}") == "/dev/vhost-net"
                   for fd in os.listdir(folder))

    def end(self):
        self.process.terminate()
        return self.process.wait(LIMIT)


class Virtqueue:
    """One of the device's queues, in the guest's memory."""

    def __init__(self, qemu, number):
        self.qemu, self.number = qemu, number
        self.base = 0x100000 + number * QUEUE_BYTES
        self.given = self.taken = 0
        qemu.set(QUEUE, number)
        qemu.set(SIZE, ENTRIES)
        for register, offset in (DESC, 0), (AVAIL, AVAIL_OFFSET), (USED, USED_OFFSET):
            qemu.set(register, self.base + offset)
            qemu.set(register + 4, 0)
        qemu.set(READY, 1)

    def room(self, entry):
        return self.base + ROOM_OFFSET + entry * ROOM

    def describe(self, entry, address, size, flags, following=0):
        self.qemu.write(self.base + 16 * entry,
                        struct.pack("<QIHH", address, size, flags, following))

    def give(self, entry, notify=True):
        self.qemu.write(self.base + AVAIL_OFFSET + 4 + 2 * (self.given % ENTRIES),
                        struct.pack("<H", entry))
        self.given += 1
        self.qemu.write(self.base + AVAIL_OFFSET + 2, struct.pack("<H", self.given & 0xffff))
        if notify:
            self.qemu.set(NOTIFY, self.number)

    def used(self):
        """How many buffers the device has given back and nobody has looked at."""
        index, = struct.unpack("<H", self.qemu.read(self.base + USED_OFFSET + 2, 2))
        return (index - self.taken) & 0xffff

    def take(self):
        where = self.base + USED_OFFSET + 4 + 8 * (self.taken % ENTRIES)
        self.taken += 1
        return struct.unpack("<II", self.qemu.read(where, 8))

    def complete(self, what):
        wait_until(self.used, what)
        self.take()

    def fill(self):
        descriptors = (struct.pack("<QIHH", self.room(entry), ROOM, F_WRITE, 0)
                       for entry in range(ENTRIES))
        self.qemu.write(self.base, b"".join(descriptors))
        self.qemu.write(self.base + AVAIL_OFFSET,
                        struct.pack(f"<{ENTRIES + 2}H", 0, ENTRIES, *range(ENTRIES)))
        self.given = ENTRIES
        self.qemu.set(NOTIFY, self.number)

    def receive(self):
        """A frame of one buffer or several."""
        entry, size = self.take()
        data = self.qemu.read(self.room(entry), size)
        buffers = HEADER.unpack_from(data)[-1]
        self.give(entry, buffers == 1)
        for left in range(buffers - 2, -1, -1):
            entry, size = self.take()
            data += self.qemu.read(self.room(entry), size)
            self.give(entry, not left)
        return data[:HEADER.size], data[HEADER.size:]

    def transmit(self, data):
        self.qemu.write(self.room(0), data)
        self.describe(0, self.room(0), len(data), 0)
        self.give(0)
        self.complete("transmission")


class Guest:
    """The driver, and a stack that answers UDP."""

    def __init__(self, qemu):
        self.qemu = qemu
        qemu.set(STATUS, 0)
        qemu.set(STATUS, ACKNOWLEDGE | DRIVER)
        for word in 0, 1:
            qemu.set(HOST_SEL, word)
            offered = qemu.get(HOST_FEATURES)
            wanted = sum(1 << f % 32 for f in WANTED if f // 32 == word)
            if wanted & ~offered:
                raise OSError(f"the device lacks features 0x{wanted & ~offered:x}.{word}")
            qemu.set(SEL, word)
            qemu.set(FEATURES, wanted)
        qemu.set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        queues = [Virtqueue(qemu, n) for n in range(2 * PAIRS + 1)]
        self.rx, self.tx, self.control = queues[0:-1:2], queues[1:-1:2], queues[-1]
        qemu.set(STATUS, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
        for queue in self.rx:
            queue.fill()
        self.pairs = 1
        self.got = {}   # the queue that a flow's last packet came by

    def set_pairs(self, pairs):
        """One command for the device: what to do, its argument, and the answer."""
        queue = self.control
        self.qemu.write(queue.room(0), struct.pack("<BBHB", CTRL_MQ, SET_PAIRS, pairs, 0xff))
        queue.describe(0, queue.room(0), 2, F_NEXT, 1)
        queue.describe(1, queue.room(0) + 2, 2, F_NEXT, 2)
        queue.describe(2, queue.room(0) + 4, 1, F_WRITE)
        queue.give(0)
        queue.complete("control command")
        if self.qemu.read(queue.room(0) + 4, 1) != b"\0":
            raise OSError(f"{pairs} pairs of queues: refused")
        self.pairs = pairs

    def poll(self):
        """Answers what has come."""
        for number, queue in enumerate(self.rx):
            while queue.used():
                self.answer(number, *queue.receive())

    def answer(self, number, header, frame):
        flags = header[0]
        if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_UDP:
            return
        sport, dport, size, check = struct.unpack("!4H", frame[34:42])
        if dport != PORT:
            return
        pseudo = frame[26:34] + struct.pack("!HH", socket.IPPROTO_UDP, size)
        if not flags & NEEDS_CSUM and check and checksum(pseudo + frame[34:]) != 0xffff:
            raise OSError(f"flow {sport}: bad checksum")
        self.got[sport] = number
        reply = (frame[6:12] + frame[0:6] + frame[12:26] + frame[30:34] + frame[26:30] +
                 struct.pack("!4H", dport, sport, size, checksum(pseudo)) + frame[42:])
        self.tx[sport % self.pairs].transmit(
            HEADER.pack(NEEDS_CSUM, 0, 0, 0, 34, 6, 0) + reply)


class Flows:
    """Sockets on the host's side of the TAP, a flow each."""

    def __init__(self, guest):
        self.guest = guest
        self.sockets = []
        for n in range(FLOWS):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            sock.bind((HOST, 5000 + n))
            sock.connect((GUEST, PORT))
            self.sockets.append(sock)

    def close(self):
        for sock in self.sockets:
            sock.close()

    def exchange(self, size):
        """Each flow sends a packet and gets it back: which queue it came by."""
        self.guest.got.clear()
        sent = {}
        for sock in self.sockets:
            sent[sock] = os.urandom(size)
            sock.send(sent[sock])
        end = time.monotonic() + LIMIT
        while sent:
            self.guest.poll()
            for sock in select.select(sent, [], [], 0)[0]:
                if sock.recv(size + 1) != sent.pop(sock):
                    raise OSError("another answer than what was sent")
            if time.monotonic() > end:
                raise TimeoutError(f"{len(sent)} of {FLOWS} flows got no answer")
        return self.guest.got


class Run:
    """The tests with one backend. Each builds on those before."""

    def __init__(self, vhost):
        self.vhost, self.qemu, self.guest, self.flows = vhost, None, None, None

    def start(self):
        self.qemu = Qemu(self.vhost)
        self.qemu.connect()
        ip("link", "set", "guest", "addrgenmode", "none", "mtu", str(MTU), "up")
        ip("addr", "add", f"{HOST}/24", "dev", "guest")
        ip("neigh", "add", GUEST, "lladdr", MAC, "dev", "guest", "nud", "permanent")
        self.guest = Guest(self.qemu)
        self.flows = Flows(self.guest)
        files = self.qemu.vhost_files()
        assert files == (PAIRS if self.vhost == "on" else 0), f"{files} files of vhost"

    def queues(self):
        return queues_of("guest")

    def one_pair(self):
        """What a driver has that knows nothing of several."""
        assert self.queues() == (1, PAIRS - 1), f"queues: {self.queues()}"
        assert set(self.flows.exchange(100).values()) == {0}

    def use_pairs(self, pairs):
        """A flow comes by the queue that answered it."""
        self.guest.set_pairs(pairs)
        assert self.queues() == (pairs, PAIRS - pairs), f"queues: {self.queues()}"
        for _ in range(10):
            start = time.monotonic()
            self.flows.exchange(100)
            got = dict(self.flows.exchange(200))
            # On a busy machine the drivers may have forgotten a flow by then.
            if time.monotonic() - start < FLOW_AGEING:
                break
        else:
            raise TooSlow(f"all flows took more than {FLOW_AGEING} s, ten times")
        strays = {port: queue for port, queue in got.items() if queue != port % pairs}
        assert not strays, f"flows by another queue: {strays}"
        used = collections.Counter(got.values())
        assert used == {n: FLOWS // pairs for n in range(pairs)}, f"packets: {used}"

    def all_pairs(self):
        self.use_pairs(PAIRS)

    def half_of_the_pairs(self):
        self.use_pairs(PAIRS // 2)

    def all_pairs_again(self):
        self.use_pairs(PAIRS)

    def big_packets(self):
        """Several buffers each."""
        self.flows.exchange(MTU - 28)

    def device_deleted(self):
        """qemu goes on, and ends when it is told to."""
        ip("link", "delete", "guest")
        self.flows.close()
        self.guest.poll()
        status = self.qemu.end()
        assert status == 0, f"qemu ended with status {status}: {self.qemu.said()}"

    TESTS = (start, one_pair, all_pairs, half_of_the_pairs, all_pairs_again, big_packets,
             device_deleted)


class TooSlow(Exception):
    """The kernel takes longer than what is to be tested lasts."""


def attempt(run, test):
    """Runs one test: what went wrong, if anything."""
    try:
        test(run)
    except (AssertionError, OSError, EOFError, StopIteration,
            subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def main():
    failed = number = 0
    vhost = bool(os.environ.get("VHOST"))
    print("TAP version 13")
    print(f"1..{len(Run.TESTS) * (1 + vhost) + (not vhost)}")
    for backend in ("off", "on") if vhost else ("off",):
        run, reason = Run(backend), None
        for test in Run.TESTS:
            number += 1
            name = f"{number} vhost_{backend}_{test.__name__}"
            try:
                reason = "an earlier test has failed" if reason else attempt(run, test)
            except TooSlow as slow:
                print(f"ok {name} # SKIP {slow}", flush=True)
                continue
            failed += bool(reason)
            result = f"# {reason}\nnot ok" if reason else "ok"
            print(f"{result} {name}", flush=True)
        if run.qemu and run.qemu.process.poll() is None:
            run.qemu.process.kill()
            run.qemu.process.wait()
    if not vhost:
        print(f"ok {number + 1} vhost_on # SKIP vhost_net does not know this node's queues")
    return failed != 0


sys.exit(main())
