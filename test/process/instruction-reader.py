"""Reads docs/reference/instruction.md as firmware of others would: JSON, base64, SHA-256 and openssl, nothing of ours.

Prints one line for each instruction and result, and "offer verified" when openssl has verified both signatures.
"""
import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile

page = open(sys.argv[1], encoding="utf-8").read()


def blocks(kind):
    return re.findall(r"^```%s\n(.*?)\n```$" % kind, page, re.S | re.M)


def unique(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), "a member twice"
    return dict(pairs)


for text in blocks("json"):
    value = json.loads(text, object_pairs_hook=unique)
    # One form: what is read and written again is the same text.
    assert json.dumps(value, separators=(",", ":")) == text, text
    assert value["version"] == 1 and all(ord(c) < 128 for c in text)
    if "scope" in value:
        assert len(text) <= 1024 and value["iat"] < value["exp"] <= value["iat"] + 90 * 86400
        print(value["scope"], value["number"], value.get("slot", value.get("key")))
    else:
        assert len(text) <= 256
        print(value["outcome"], value.get("number"), value["slot"])


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def der_integer(raw):
    raw = raw.lstrip(b"\0")
    if raw[0] & 0x80:
        raw = b"\0" + raw
    return b"\x02" + bytes([len(raw)]) + raw


def verify(pem, message, signature):
    body = der_integer(signature[:32]) + der_integer(signature[32:])
    with tempfile.TemporaryDirectory() as folder:
        for name, data in (("key", pem.encode() + b"\n"), ("sig", b"\x30" + bytes([len(body)]) + body)):
            with open(folder + "/" + name, "wb") as file:
                file.write(data)
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-verify", folder + "/key", "-signature", folder + "/sig"],
            input=message, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def sha256(data):
    return hashlib.sha256(data).digest()


header, claims, signature = blocks("jws")[0].replace("\n", "").split(".")
current, attesting = blocks("pem")
assert json.loads(decode(header))["typ"] == "mayfly-key-offer+jwt"
verify(current, f"{header}.{claims}".encode(), decode(signature))

offer = json.loads(decode(claims), object_pairs_hook=unique)
asked = json.loads([text for text in blocks("json") if '"offer-key"' in text][0])
assert (offer["sub"], offer["number"], offer["slot"], offer["nonce"]) == (
    asked["device"], asked["number"], asked["slot"], asked["challenge"])

# The chip's message, from the datasheet's tables: Nonce, GenKey digest, internal Sign.
serial = bytes.fromhex(offer["chip"])
slot = offer["slot"]
nonce = sha256(decode(offer["random"]) + decode(offer["nonce"]) + b"\x16\x00\x00")
temp_key = sha256(nonce + bytes([0x40, 0x0C, slot, 0]) + serial[8:] + serial[:2] + bytes(25)
                  + decode(offer["x"]) + decode(offer["y"]))
message = (temp_key + bytes([0x41, 0x40, offer["attestationSlot"], 0])
           + offer["slotConfig"].to_bytes(2, "little") + offer["keyConfig"].to_bytes(2, "little")
           + bytes([slot | 0x40, 0, 0]) + serial[8:] + serial[4:8] + serial[:4]
           + bytes([0 if offer["slotLocked"] else 1, 0, 0]))
assert len(message) == 55
verify(attesting, message, decode(offer["sig"]))
print("offer verified")
