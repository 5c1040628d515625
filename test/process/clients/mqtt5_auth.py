"""An MQTT 5 client with enhanced authentication, its bytes written from the standard and from nothing of ours.

The test tells it what to do, one JSON object a line on standard input; it tells what came, one JSON object a line on
standard output: each packet the server sent, and the end of the connection, with the time of arrival. Only Python's
standard library, and `openssl` for signatures. It judges nothing but the shape of the packets: an octet that MQTT 5.0
does not allow where it stands ends it with a traceback.

Numbers in comments are sections of MQTT Version 5.0, OASIS Standard, 7 March 2019.

    mqtt5_auth.py HOST PORT CA_FILE [KEY_LOG_FILE]
"""

import base64
import json
import select
import socket
import ssl
import struct
import subprocess
import sys
import time

CONNECT, CONNACK, PUBLISH, PUBACK, DISCONNECT, AUTH = 1, 2, 3, 4, 14, 15  # 2.1.2
PACKET_NAMES = {CONNACK: "CONNACK", PUBACK: "PUBACK", DISCONNECT: "DISCONNECT", AUTH: "AUTH"}
AUTHENTICATION_METHOD, AUTHENTICATION_DATA = 0x15, 0x16  # 2.2.2.2

# 2.2.2.2: identifier, name, type. Those a server may put into the four packets above.
PROPERTIES = {
    0x11: ("Session Expiry Interval", "four"),
    0x12: ("Assigned Client Identifier", "text"),
    0x13: ("Server Keep Alive", "two"),
    0x15: ("Authentication Method", "text"),
    0x16: ("Authentication Data", "binary"),
    0x1A: ("Response Information", "text"),
    0x1C: ("Server Reference", "text"),
    0x1F: ("Reason String", "text"),
    0x21: ("Receive Maximum", "two"),
    0x22: ("Topic Alias Maximum", "two"),
    0x24: ("Maximum QoS", "one"),
    0x25: ("Retain Available", "one"),
    0x26: ("User Property", "pair"),
    0x27: ("Maximum Packet Size", "four"),
    0x28: ("Wildcard Subscription Available", "one"),
    0x29: ("Subscription Identifiers Available", "one"),
    0x2A: ("Shared Subscription Available", "one"),
}


class Reader:
    """Takes fields off the front of a packet; past its end is an error (1.5)."""

    def __init__(self, octets):
        self.octets = octets
        self.at = 0

    def take(self, count):
        if self.at + count > len(self.octets):
            raise EOFError("the packet ends inside a field")
        self.at += count
        return self.octets[self.at - count : self.at]

    def is_done(self):
        return self.at == len(self.octets)

    def one(self):
        return self.take(1)[0]

    def two(self):
        return struct.unpack("!H", self.take(2))[0]

    def four(self):
        return struct.unpack("!I", self.take(4))[0]

    def binary(self):
        return self.take(self.two()).hex()

    def text(self):
        return self.take(self.two()).decode("utf-8", "strict")

    def pair(self):
        return [self.text(), self.text()]

    def variable(self):
        """Variable Byte Integer, 1.5.5, in its shortest form."""
        value = 0
        for place in range(4):
            octet = self.one()
            value |= (octet & 0x7F) << (7 * place)
            if octet < 0x80:
                if place > 0 and octet == 0:
                    raise ValueError("a Variable Byte Integer longer than it need be")
                return value
        raise ValueError("a Variable Byte Integer of five octets")


def variable(value):
    octets = bytearray()
    while True:
        value, octet = value >> 7, value & 0x7F
        octets.append(octet | (0x80 if value else 0))
        if not value:
            return bytes(octets)


def field(octets):
    return struct.pack("!H", len(octets)) + octets


def packet(kind, flags, body):
    return bytes([kind << 4 | flags]) + variable(len(body)) + body


def properties(method, data):
    """Property Length and properties, 2.2.2."""
    octets = b""
    if method is not None:
        octets += bytes([AUTHENTICATION_METHOD]) + field(method.encode())
    if data is not None:
        octets += bytes([AUTHENTICATION_DATA]) + field(data.encode())
    return variable(len(octets)) + octets


def connect_packet(order):
    """3.1: Clean Start, Keep Alive off; a Password only where one is ordered."""
    password = order.get("password")
    flags = 0x02 | (0x40 if password is not None else 0)
    body = field(b"MQTT") + bytes([5, flags]) + struct.pack("!H", 0)
    body += properties(order.get("method"), order.get("data"))
    body += field(order["clientIdentifier"].encode())
    if password is not None:
        body += field(password.encode())
    return packet(CONNECT, 0, body)


def publish_packet(order):
    """3.3: QoS 1."""
    body = field(order["topic"].encode()) + struct.pack("!H", order["identifier"]) + variable(0)
    return packet(PUBLISH, 0x02, body + order["payload"].encode())


def auth_packet(order):
    """3.15: Re-authenticate is 0x19."""
    body = bytes([order["reasonCode"]]) + properties(order.get("method"), order.get("data"))
    return packet(AUTH, 0, body)


def raw_packet(order):
    return bytes.fromhex(order["octets"])


def read_properties(reader):
    """2.2.2: each at most once, but for User Property. @returns names and values."""
    end = reader.variable() + reader.at
    found = {"User Property": []}
    while reader.at < end:
        name, kind = PROPERTIES[reader.variable()]
        value = getattr(reader, kind)()
        if name == "User Property":
            found[name].append(value)
        elif name in found:
            raise ValueError(name + " came twice")
        else:
            found[name] = value
    if reader.at != end:
        raise ValueError("the last property ends behind the Property Length")
    return found


def read_packet(first, octets):
    kind, reader = first >> 4, Reader(octets)
    if first & 0x0F:
        raise ValueError("reserved flags are set")  # 2.1.3
    told = {"packet": PACKET_NAMES[kind]}
    if kind == CONNACK:
        flags = reader.one()
        if flags > 1:
            raise ValueError("reserved acknowledge flags are set")  # 3.2.2.1
        told["sessionPresent"] = flags == 1
    if kind == PUBACK:
        told["identifier"] = reader.two()
    # 3.4.2.1, 3.14.2.1, 3.15.2.1: but for CONNACK, a Reason Code 0 may be left out, and an empty Property Length.
    may_end = kind != CONNACK
    told["reasonCode"] = 0 if may_end and reader.is_done() else reader.one()
    told["properties"] = {} if may_end and reader.is_done() else read_properties(reader)
    if not reader.is_done():
        raise ValueError("octets behind the end of the packet's fields")
    return told


def base64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def integer(octets, at):
    """A DER INTEGER of at most 256 bits. @returns 32 octets, and where the next one begins."""
    if octets[at] != 2:
        raise ValueError("no DER INTEGER")
    end = at + 2 + octets[at + 1]
    return int.from_bytes(octets[at + 2 : end], "big").to_bytes(32, "big"), end


def mint(order):
    """ES256 (RFC 7518, 3.4): openssl signs, in DER; a JWS wants R and S side by side."""
    parts = [{"alg": "ES256", "typ": "JWT"}, order["claims"]]
    signing_input = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    command = ["openssl", "dgst", "-sha256", "-sign", order["keyFile"]]
    der = subprocess.run(command, input=signing_input.encode(), stdout=subprocess.PIPE, check=True).stdout
    r, after_r = integer(der, 2)
    s, _ = integer(der, after_r)
    return signing_input + "." + base64url(r + s)


def tell(event):
    event["at"] = time.time()
    print(json.dumps(event), flush=True)


class Connection:
    def __init__(self, host, port, ca_file, key_log_file):
        context = ssl.create_default_context(cafile=ca_file)
        if key_log_file is not None:
            context.keylog_filename = key_log_file
        plain = socket.create_connection((host, port), timeout=10)
        self.socket = context.wrap_socket(plain, server_hostname=host)
        self.socket.setblocking(False)
        self.received = b""

    def take(self):
        """Tells every whole packet that is there. @returns whether the server may send more."""
        while True:
            try:
                octets = self.socket.recv(65_536)
            except ssl.SSLWantReadError:
                return True
            except ConnectionResetError:
                octets = b""
            if octets == b"":
                return False
            self.received += octets
            while self.tell_packet():
                pass

    def tell_packet(self):
        reader = Reader(self.received)
        try:
            first, octets = reader.one(), reader.take(reader.variable())
        except EOFError:
            return False  # The rest of it is still on its way.
        self.received = self.received[reader.at :]
        tell(read_packet(first, octets))
        return True


def main(host, port, ca_file, key_log_file=None):
    # Unbuffered: an order read ahead would be one that `select` knows nothing of.
    orders = open(0, "rb", buffering=0)
    encoders = {
        "connect": connect_packet,
        "publish": publish_packet,
        "auth": auth_packet,
        "raw": raw_packet,
    }
    connection = Connection(host, int(port), ca_file, key_log_file)
    while True:
        # The socket holds everything that TLS has not read, and `take` reads until TLS has nothing more.
        ready, _, _ = select.select([connection.socket, orders], [], [])
        if connection.socket in ready and not connection.take():
            tell({"packet": "closed"})
            return
        if orders in ready:
            line = orders.readline()
            if line == b"":
                return
            order = json.loads(line)
            if order["do"] == "mint":
                tell({"token": mint(order)})
            else:
                connection.socket.sendall(encoders[order["do"]](order))


main(*sys.argv[1:])
