"""Talks to a DS3231 over the bus of `mayfly chip sim`, from the datasheet's register map alone.

Usage: rtc-client.py SOCKET STEP...   Steps: read | write FIRST HEX | delay SECONDS. Each read prints a line of JSON.
"""
import datetime
import json
import socket
import struct
import sys

ADDR8 = 0xD0


def exactly(line, count):
    data = b""
    while len(data) < count:
        more = line.recv(count - len(data))
        if not more:
            raise SystemExit("the bus went away")
        data += more
    return data


def frame(line, kind, length, payload=b"", address=ADDR8):
    line.sendall(struct.pack(">cBH", kind, address, length) + payload)
    status, size = struct.unpack(">BH", exactly(line, 3))
    payload = exactly(line, size)
    return None if status else payload


def write(line, first, data=b""):
    if frame(line, b"W", 1 + len(data), bytes([first]) + data) is None:
        raise SystemExit("not acknowledged")


def bcd(byte):
    tens, ones = divmod(byte, 16)
    assert tens < 10 and ones < 10, byte
    return 10 * tens + ones


def hour(byte):
    if not byte & 0x40:
        return bcd(byte & 0x3F)
    return bcd(byte & 0x1F) % 12 + (12 if byte & 0x20 else 0)


def read(line):
    write(line, 0)
    raw = frame(line, b"R", 19)
    if raw is None:
        raise SystemExit("not acknowledged")
    shown = datetime.datetime(
        2000 + bcd(raw[6]), bcd(raw[5] & 0x7F), bcd(raw[4]), hour(raw[2]), bcd(raw[1]), bcd(raw[0]),
        tzinfo=datetime.timezone.utc,
    )
    (temperature,) = struct.unpack(">h", raw[17:19])
    return {
        "seconds": int(shown.timestamp()),
        "mode": 12 if raw[2] & 0x40 else 24,
        "century": raw[5] >> 7,
        "osf": raw[15] >> 7,
        "aging": struct.unpack("b", raw[16:17])[0],
        "temperature": temperature / 256,
    }


def main(where, *steps):
    line = socket.socket(socket.AF_UNIX)
    line.connect(where)
    steps = list(steps)
    while steps:
        step = steps.pop(0)
        if step == "read":
            print(json.dumps(read(line)))
        elif step == "write":
            write(line, int(steps.pop(0), 16), bytes.fromhex(steps.pop(0)))
        else:
            left = round(float(steps.pop(0)) * 1e6)
            while left > 0:
                part = min(left, 3_600_000_000)
                frame(line, b"D", 4, struct.pack(">I", part))
                left -= part


main(*sys.argv[1:])
