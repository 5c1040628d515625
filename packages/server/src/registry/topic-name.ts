/**
 * Topic names, as Pub/Sub writes them and notification configs and subscriptions give them.
 *
 * A topic need not be made before it is named: here it is a name that messages are routed to and subscriptions ask for.
 */
import { IdError, parseProjectId } from "@mayfly/core";

const topicNameForm = /^projects\/([^/]+)\/topics\/[A-Za-z][-A-Za-z0-9._~+%]{0,254}$/;

/** `projects/{project}/topics/{topic}`, of any project; the topic begins with a letter and has at most 255 characters. */
export function isTopicName(text: string): boolean {
  const project = topicNameForm.exec(text)?.[1];
  if (project === undefined) return false;
  try {
    parseProjectId(project);
    return true;
  } catch (error) {
    if (error instanceof IdError) return false;
    throw error;
  }
}
