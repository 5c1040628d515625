/*
 * The device of clients.test.ts, by Eclipse Paho's C client: orders come in on standard input, what happened goes out
 * on standard output, a line each.
 *
 *     paho_c HOST PORT CA_FILE CLIENT_IDENTIFIER DEVICE
 *
 *     in:   connect TOKEN        out:  ready | refused CODE      (both subscriptions stand)
 *           publish TOPIC [TEXT]       acknowledged TOPIC        (QoS 1, the PUBACK is there)
 *           subscribe TOPIC            granted TOPIC             (QoS 1 is asked for)
 *           end                        message TOPIC TEXT
 *                                      lost                      (the server ended the connection)
 */
#include <MQTTClient.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_BYTES = 16384, TOPIC_MAX_BYTES = 512, WAIT_MILLIS = 10000 };

static int on_message(void* context, char* topic, int topic_length, MQTTClient_message* message) {
  (void)context;
  (void)topic_length; /* 0 where the topic has no NUL in it; ours have none. */
  printf("message %s %.*s\n", topic, message->payloadlen, (char*)message->payload);
  MQTTClient_freeMessage(&message);
  MQTTClient_free(topic);
  return 1;
}

static void on_lost(void* context, char* cause) {
  (void)context;
  (void)cause;
  printf("lost\n");
}

static void connect_with(MQTTClient client, const char* ca_file, const char* device, const char* token) {
  MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
  tls.trustStore = ca_file;
  tls.verify = 1;
  MQTTClient_connectOptions options = MQTTClient_connectOptions_initializer;
  options.MQTTVersion = MQTTVERSION_3_1_1;
  options.keepAliveInterval = 60;
  options.cleansession = 1;
  options.username = "unused";
  options.password = token;
  options.ssl = &tls;
  if (MQTTClient_isConnected(client)) MQTTClient_disconnect(client, 0);
  int code = MQTTClient_connect(client, &options);
  if (code != MQTTCLIENT_SUCCESS) {
    printf("refused %d\n", code);
    return;
  }
  char config[TOPIC_MAX_BYTES], commands[TOPIC_MAX_BYTES];
  snprintf(config, sizeof config, "/devices/%s/config", device);
  snprintf(commands, sizeof commands, "/devices/%s/commands/#", device);
  if (MQTTClient_subscribe(client, commands, 0) == MQTTCLIENT_SUCCESS &&
      MQTTClient_subscribe(client, config, 1) == MQTTCLIENT_SUCCESS)
    printf("ready\n");
}

int main(int count, char** args) {
  if (count != 6) return 2;
  setvbuf(stdout, NULL, _IOLBF, 0);
  char address[TOPIC_MAX_BYTES];
  snprintf(address, sizeof address, "ssl://%s:%s", args[1], args[2]);
  MQTTClient client;
  if (MQTTClient_create(&client, address, args[4], MQTTCLIENT_PERSISTENCE_NONE, NULL) != MQTTCLIENT_SUCCESS) return 1;
  MQTTClient_setCallbacks(client, NULL, on_lost, on_message, NULL);

  static char line[LINE_MAX_BYTES];
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    char* verb = strtok(line, " ");
    char* first = strtok(NULL, " ");
    char* text = strtok(NULL, "");
    const char* payload = text == NULL ? "" : text;
    if (verb == NULL || strcmp(verb, "end") == 0) break;
    if (strcmp(verb, "connect") == 0) connect_with(client, args[3], args[5], first);
    if (strcmp(verb, "subscribe") == 0) {
      int code = MQTTClient_subscribe(client, first, 1);
      printf("%s %s\n", code == MQTTCLIENT_SUCCESS ? "granted" : "refused", first);
    }
    if (strcmp(verb, "publish") == 0) {
      MQTTClient_deliveryToken delivery;
      int code = MQTTClient_publish(client, first, (int)strlen(payload), payload, 1, 0, &delivery);
      if (code == MQTTCLIENT_SUCCESS && MQTTClient_waitForCompletion(client, delivery, WAIT_MILLIS) == MQTTCLIENT_SUCCESS)
        printf("acknowledged %s\n", first);
    }
  }
  MQTTClient_disconnect(client, 1000);
  MQTTClient_destroy(&client);
  return 0;
}
