/** RACK's variables (RFC 8985 section 5.3). */
export class RackState {
  /** When the most recently sent of the delivered segments was sent, the number of that transmission, its round trip. */
  xmitUs = 0;
  order = 0;
  rttUs = 0;
  /** Segments were seen to arrive out of order. */
  reorderingSeen = false;
  /** The reordering window in quarters of min_RTT. */
  reoWndSteps = 1;
  reoWndPersist = 0;
  /** A D-SACK came: the window is to grow, once a round. */
  dsackSeen = false;
  dsackRoundEnd = 0;
  /** Whether `dsackRoundEnd` counts. */
  inDsackRound = false;
}
