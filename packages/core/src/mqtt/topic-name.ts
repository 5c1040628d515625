/**
 * What MQTT §4.7 asks of a Topic Name on the wire: no wildcard characters [MQTT-4.7.0-1].
 *
 * Left to others: Topic Filters, which a server refuses one by one in its SUBACK (`../topic.ts`).
 */

export function hasWildcard(topicName: string): boolean {
  return topicName.includes("#") || topicName.includes("+");
}
