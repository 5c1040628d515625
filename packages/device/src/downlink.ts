/**
 * Downlink: configs and commands on their way to the application's handlers, and the verdicts on their way back.
 *
 * Commands are handed over as they come, each by a call of its own. Those of QoS 1 are bounded by the Receive Maximum; those
 * of QoS 0, which nothing holds back, by the same number here, and one above it is dropped and told.
 *
 * Left to others: versions of the config (`config/config-keeper.ts`), a handler's time limit (`handler-run.ts`), and the
 * PUBACK that follows (`session/downlink-acknowledgements.ts`).
 */
import { ConfigKeeper, type ConfigKeeperPorts } from "./config/config-keeper.ts";
import { runHandler, type Verdict } from "./handler-run.ts";
import type { AgentSettings } from "./options.ts";
import type { DownlinkMessage } from "./session/session-report.ts";
import type { AgentEvent } from "./status.ts";

export interface AgentHandlers {
  /**
   * The device's config; acknowledged (PUBACK) once this returns or resolves, which may take
   * {@link AgentOptions.handlerSecondsMax}. The same config does not come twice, but for one that failed.
   *
   * @param version Of the registry, where the bridge said it (MQTT 5).
   */
  readonly config?: (payload: Uint8Array, version?: number) => void | Promise<void>;
  /** A command; acknowledged likewise. It may come again: at least once is the promise. */
  readonly command?: (payload: Uint8Array, subfolder: string) => void | Promise<void>;
}

export class Downlink {
  readonly #ports: ConfigKeeperPorts;
  readonly #settings: Pick<AgentSettings, "handlerSecondsMax" | "wire">;
  readonly #handlers: AgentHandlers;
  readonly #tell: (event: AgentEvent) => void;
  readonly #config: ConfigKeeper;
  /** Commands of QoS 0 whose handlers run. */
  #unacknowledgeable = 0;

  /** @param askForConfig Has the bridge send the config again, where there is a connection. */
  constructor(
    ports: ConfigKeeperPorts,
    settings: Pick<AgentSettings, "handlerSecondsMax" | "wire">,
    handlers: AgentHandlers,
    askForConfig: () => void,
    tell: (event: AgentEvent) => void,
  ) {
    this.#ports = ports;
    this.#settings = settings;
    this.#handlers = handlers;
    this.#tell = tell;
    this.#config = new ConfigKeeper(
      ports,
      ({ payload, version }, settle) =>
        this.#run("config", () => handlers.config?.(payload, version), settle),
      askForConfig,
      tell,
    );
  }

  /** The version of the config in force, where it is known. */
  get configVersion(): number | undefined {
    return this.#config.version;
  }

  /** @param settle Told once, or never where the message was dropped. */
  take(message: DownlinkMessage, settle: (verdict: Verdict) => void): void {
    if (message.kind === "config") {
      this.#config.take(message, settle);
      return;
    }
    const { payload, subfolder, receipt } = message;
    const handle = (): void | Promise<void> => this.#handlers.command?.(payload, subfolder);
    if (receipt !== undefined) {
      this.#run("command", handle, settle);
      return;
    }
    if (this.#unacknowledgeable >= this.#settings.wire.receiveMaximum) {
      this.#tell({ kind: "command_dropped" });
      return;
    }
    this.#unacknowledgeable += 1;
    this.#run("command", handle, (verdict) => {
      this.#unacknowledgeable -= 1;
      settle(verdict);
    });
  }

  /** The agent ends. */
  close(): void {
    this.#config.close();
  }

  #run(
    of: "config" | "command",
    handler: () => void | Promise<void>,
    settle: (verdict: Verdict) => void,
  ): void {
    runHandler(this.#ports.timers, handler, this.#settings.handlerSecondsMax, (verdict) => {
      if (verdict !== "taken") this.#tell({ kind: "handler_failed", of, because: verdict.failed });
      settle(verdict);
    });
  }
}
