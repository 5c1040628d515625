/** What a backbone counts beside its port: facts for metrics, since the process started unless said otherwise. */
export interface BackboneCounters {
  /** Acknowledgements and lease changes whose ackId was unknown or whose lease had ended. */
  readonly lateAcks: number;
  /** Messages delivered again after their lease ended. */
  readonly redelivered: number;
  /** Messages that retention removed before a subscription had acknowledged them, once per subscription. */
  readonly removedUnread: number;
}
