/**
 * Pull subscriptions in Pub/Sub's own shape: create, read, pull, acknowledge.
 */
import type { RegistryService } from "../registry/service.ts";
import type { Backbone, Subscription } from "../telemetry/backbone.ts";
import { ApiError, invalidField } from "./api-error.ts";
import type { Puller } from "./puller.ts";
import type { Call, Route } from "./route.ts";
import {
  formatReceived,
  formatSubscription,
  readAckDeadline,
  readAcknowledge,
  readPull,
  readSubscription,
  readSubscriptionId,
} from "./subscription-json.ts";

const subscriptionsPath = "/v1/projects/{project}/subscriptions";
const subscriptionPath = `${subscriptionsPath}/{subscription}`;

export function subscriptionRoutes(ports: {
  readonly service: RegistryService;
  readonly backbone: Backbone;
  readonly puller: Puller;
}): readonly Route[] {
  const { backbone } = ports;
  const { places, registries } = ports.service;

  function refOf(call: Call): { readonly project: string; readonly id: string } {
    const project = call.param("project");
    places.checkProject(project);
    return { project, id: readSubscriptionId(call.param("subscription")) };
  }

  async function getSubscription(ref: {
    readonly project: string;
    readonly id: string;
  }): Promise<Subscription> {
    const subscription = await backbone.findSubscription(ref.project, ref.id);
    if (subscription !== undefined) return subscription;
    throw new ApiError(
      "NOT_FOUND",
      `Subscription 'projects/${ref.project}/subscriptions/${ref.id}' not found.`,
    );
  }

  return [
    {
      method: "PUT",
      path: subscriptionPath,
      permission: "pubsub.subscriptions.create",
      async handle(call) {
        const ref = refOf(call);
        const { registry: wanted, from, ...rest } = readSubscription(call.body);
        if (wanted.project !== ref.project) {
          throw invalidField("registry", "The registry must be of the subscription's project.");
        }
        const { project, location, registry: id, numId } = await registries.get(wanted);
        const registry = { project, location, registry: id, numId };
        return formatSubscription(await backbone.createSubscription({ id: ref.id, registry, ...rest }, from));
      },
    },
    {
      method: "GET",
      path: subscriptionsPath,
      permission: "pubsub.subscriptions.list",
      async handle(call) {
        const project = call.param("project");
        places.checkProject(project);
        return { subscriptions: (await backbone.listSubscriptions(project)).map(formatSubscription) };
      },
    },
    {
      method: "GET",
      path: subscriptionPath,
      permission: "pubsub.subscriptions.get",
      handle: async (call) => formatSubscription(await getSubscription(refOf(call))),
    },
    {
      method: "DELETE",
      path: subscriptionPath,
      permission: "pubsub.subscriptions.delete",
      async handle(call) {
        const ref = refOf(call);
        await backbone.deleteSubscription(ref.project, ref.id);
        return {};
      },
    },
    {
      method: "POST",
      path: `${subscriptionPath}:pull`,
      permission: "pubsub.subscriptions.consume",
      async handle(call) {
        const ref = refOf(call);
        const { maxMessages, waitSeconds } = readPull(call.body);
        const subscription = await getSubscription(ref);
        const waiting = ports.puller.pull(subscription, maxMessages, waitSeconds);
        // A caller who left must not be leased messages nobody will acknowledge.
        call.reply.raw.once("close", waiting.abandon);
        const received = await waiting.messages;
        call.reply.raw.off("close", waiting.abandon);
        return received.length === 0 ? {} : { receivedMessages: received.map(formatReceived) };
      },
    },
    {
      method: "POST",
      path: `${subscriptionPath}:acknowledge`,
      permission: "pubsub.subscriptions.consume",
      async handle(call) {
        const ref = refOf(call);
        await backbone.acknowledge(ref.project, ref.id, readAcknowledge(call.body));
        return {};
      },
    },
    {
      method: "POST",
      path: `${subscriptionPath}:modifyAckDeadline`,
      permission: "pubsub.subscriptions.consume",
      async handle(call) {
        const ref = refOf(call);
        const { ackIds, leaseSeconds } = readAckDeadline(call.body);
        await backbone.modifyLease(ref.project, ref.id, ackIds, leaseSeconds);
        return {};
      },
    },
  ];
}
