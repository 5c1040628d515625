"""The device of clients.test.ts, by Eclipse Paho's Python client; the orders and answers are those of paho_c.c.

    paho_python.py HOST PORT CA_FILE CLIENT_IDENTIFIER DEVICE
"""

import ssl
import sys
import threading

import paho.mqtt.client as paho

host, port, ca_file, client_identifier, device = sys.argv[1:6]
# By Packet Identifier: the SUBSCRIBEs that the test ordered. The SUBACK comes in another thread, perhaps before the line
# that fills the table is done.
asked = {}
table = threading.Lock()


def tell(*words):
    print(*words, flush=True)


def on_connect(client, userdata, flags, code):
    if code != 0:
        tell("refused", code)
        return
    client.subscribe([(f"/devices/{device}/commands/#", 0), (f"/devices/{device}/config", 1)])


def on_subscribe(client, userdata, mid, granted):
    with table:
        topic = asked.pop(mid, None)
    if topic is None:
        tell("ready")
    else:
        tell("refused" if granted[0] == 0x80 else "granted", topic)


def on_disconnect(client, userdata, code):
    if code != 0:
        tell("lost")


def new_client(token):
    # From 2.0 on a version of the callbacks has to be named; the first is the only one that 1.x knows.
    versions = getattr(paho, "CallbackAPIVersion", None)
    first = [] if versions is None else [versions.VERSION1]
    client = paho.Client(*first, client_id=client_identifier, reconnect_on_failure=False)
    client.tls_set(ca_certs=ca_file, tls_version=ssl.PROTOCOL_TLS_CLIENT)
    client.username_pw_set("unused", token)
    client.on_connect = on_connect
    client.on_disconnect = on_disconnect
    client.on_subscribe = on_subscribe
    client.on_message = lambda client, userdata, message: tell("message", message.topic, message.payload.decode())
    client.connect(host, int(port), keepalive=60)
    client.loop_start()
    return client


client = None
for line in sys.stdin:
    verb, *rest = line.rstrip("\n").split(" ", 2)
    if verb == "end":
        break
    if verb == "connect":
        if client is not None:
            client.disconnect()
            client.loop_stop()
        client = new_client(rest[0])
    if verb == "subscribe":
        with table:
            asked[client.subscribe(rest[0], 1)[1]] = rest[0]
    if verb == "publish":
        message = client.publish(rest[0], rest[1] if len(rest) > 1 else "", qos=1)
        message.wait_for_publish(10)
        if message.is_published():
            tell("acknowledged", rest[0])
client.disconnect()
client.loop_stop()
