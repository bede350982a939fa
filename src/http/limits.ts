export interface HttpLimits {
  headerBytesMax: number;
  headersMax: number;
  /** For the whole request, its body included. */
  requestTimeoutSeconds: number;
  headersTimeoutSeconds: number;
  keepAliveTimeoutSeconds: number;
  /** A connection without a byte in either direction, also while its answer is being made. */
  idleTimeoutSeconds: number;
  /** How often the time-outs of requests are looked at. */
  checkIntervalMilliseconds: number;
  connectionsMax: number;
  /** Requests worked on at once; waiting for a body does not count. */
  inFlightMax: number;
  /**
   * The mean delay of the event loop, over half a second, from which requests are turned away; 0 for never.
   */
  loopDelayMaxMilliseconds: number;
}

export const defaultHttpLimits: Readonly<HttpLimits> = {
  headerBytesMax: 16_384,
  headersMax: 100,
  requestTimeoutSeconds: 30,
  headersTimeoutSeconds: 10,
  // longer than the 60 s after which load balancers close, or they would meet our closing
  keepAliveTimeoutSeconds: 72,
  idleTimeoutSeconds: 120,
  checkIntervalMilliseconds: 1_000,
  connectionsMax: 4_096,
  inFlightMax: 1_000,
  loopDelayMaxMilliseconds: 1_000,
};

/**
 * Who was let in is judged anew when the body took longer: rights end within 5 s, and a body may take as long
 * as the request.
 */
export const slowBodyMilliseconds = 1_000;

/**
 * What is left of a refused body is read and dropped up to here, so that the client gets to see the answer.
 */
export const discardedBytesMax = 1_048_576;
