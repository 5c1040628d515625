"""A client of signed time, written from docs/reference/signed-time.md alone: Python's standard library, and openssl
for the signatures. Shares no code with the product.

    request FILE                            draws a nonce and writes the request
    ask HOST PORT REQUEST ANSWER            sends it over UDP and writes what comes back
    verify REQUEST ANSWER MILLIS PIN...     believes the answer, or not; the pins are X||Y in hexadecimal

Prints one line of JSON: {"now", "uncertainty"} in milliseconds, or {"refused"}.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

REQUEST_HEAD = b"mayfly-time-request-v1\x00"
TIME_HEAD = b"mayfly-time-v1\x00"
DELEGATION_HEAD = b"mayfly-time-delegation-v1\x00"
LAST_INSTANT = 253402300799999
# SubjectPublicKeyInfo of a P-256 key up to its point (RFC 5480).
SPKI_HEAD = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


def der_integer(half):
    value = half.lstrip(b"\x00") or b"\x00"
    if value[0] & 0x80:
        value = b"\x00" + value
    return b"\x02" + bytes([len(value)]) + value


def is_signed(point, message, signature):
    body = der_integer(signature[:32]) + der_integer(signature[32:])
    with tempfile.TemporaryDirectory() as folder:
        names = {}
        parts = {"key": SPKI_HEAD + point, "message": message, "signature": b"\x30" + bytes([len(body)]) + body}
        for name, content in parts.items():
            names[name] = os.path.join(folder, name)
            with open(names[name], "wb") as file:
                file.write(content)
        command = ["openssl", "dgst", "-sha256", "-verify", names["key"], "-keyform", "DER"]
        done = subprocess.run(
            command + ["-signature", names["signature"], names["message"]], capture_output=True, check=False
        )
        return done.returncode == 0 and done.stdout.strip() == b"Verified OK"


def refusal_of(request, answer, limit, round_trip, pins):
    if len(answer) != 293 or answer[:15] != TIME_HEAD or answer[123:149] != DELEGATION_HEAD:
        return "form"
    told, radius = struct.unpack(">QI", answer[47:59])
    begin, end = struct.unpack(">QQ", answer[213:229])
    if max(told, begin, end) > LAST_INSTANT:
        return "form"
    if answer[15:47] != request[23:55]:
        return "nonce"
    if not 0 <= end - begin <= 2592000000:
        return "delegation"
    if not begin <= told <= end:
        return "outside"
    if round_trip / 2 + radius > limit:
        return "uncertain"
    if not any(is_signed(pin, answer[123:229], answer[229:293]) for pin in pins):
        return "root"
    if not is_signed(answer[149:213], answer[:59], answer[59:123]):
        return "signature"
    return None


def main(verb, *arguments):
    if verb == "request":
        with open(arguments[0], "wb") as file:
            file.write(REQUEST_HEAD + os.urandom(32) + bytes(238))
    elif verb == "ask":
        host, port, request_file, answer_file = arguments
        with open(request_file, "rb") as file:
            request = file.read()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(5)
            sent = time.monotonic()
            udp.sendto(request, (host, int(port)))
            answer = udp.recv(2000)
            round_trip = (time.monotonic() - sent) * 1000
        with open(answer_file, "wb") as file:
            file.write(answer)
        print(json.dumps({"roundTrip": round_trip}))
    elif verb == "verify":
        request_file, answer_file, round_trip, *pins = arguments
        with open(request_file, "rb") as file:
            request = file.read()
        with open(answer_file, "rb") as file:
            answer = file.read()
        refused = refusal_of(request, answer, 5000, float(round_trip), [bytes.fromhex(pin) for pin in pins])
        told, radius = struct.unpack(">QI", answer[47:59]) if len(answer) >= 59 else (0, 0)
        half = float(round_trip) / 2
        print(json.dumps({"refused": refused} if refused else {"now": told + half, "uncertainty": radius + half}))


main(*sys.argv[1:])
