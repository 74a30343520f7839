import type { Kernel } from '@qanat/os';
import { BackRing, NETIF_RX_SLOT_BYTES, NETIF_TX_SLOT_BYTES, XenbusState } from '@qanat/xen';

/**
 * A backend in Dom0 that does only what the test says. It goes through the handshake of one vif, maps the rings, and
 * keeps its hands off from then on.
 */
export class ScriptedBackend {
  kernel!: Kernel;
  tx!: BackRing;
  rx!: BackRing;
  /** Events that have come. */
  events = 0;
  connected = false;
  /** Written before state 2. */
  features: Record<string, string | number> = { 'feature-sg': 1, 'feature-rx-copy': 1 };
  #port = 0;
  #domid = 0;

  /** The whole of what runs in Dom0 beside xenstored. */
  readonly main = (kernel: Kernel): void => {
    this.kernel = kernel;
  };

  /** Serves the vif of a domain; its nodes are there. */
  serve(domid: number): void {
    this.#domid = domid;
    const { xenstore } = this.kernel;
    const back = `/local/domain/0/backend/vif/${domid}/0`;
    const front = `/local/domain/${domid}/device/vif/0`;
    xenstore.transaction(
      (tx) => tx.writeAll(back, this.features),
      () => {
        xenstore.write(`${back}/state`, `${XenbusState.InitWait}`);
        xenstore.waitFor(
          `${front}/state`,
          (state) => state === '4',
          () =>
            xenstore.readMany(
              ['tx-ring-ref', 'rx-ring-ref', 'event-channel'].map((key) => `${front}/${key}`),
              (_error, values) => {
                const [txRef, rxRef, channel] = values.map(Number);
                this.#connect(txRef!, rxRef!, channel!);
                xenstore.write(`${back}/state`, `${XenbusState.Connected}`);
              },
            ),
        );
      },
    );
  }

  #connect(txRef: number, rxRef: number, channel: number): void {
    const { memory, hypercalls, activations } = this.kernel;
    const map = (ref: number): number => hypercalls.grantMap(this.#domid, ref, false).addr;
    this.tx = BackRing.attach(memory, map(txRef), NETIF_TX_SLOT_BYTES);
    this.rx = BackRing.attach(memory, map(rxRef), NETIF_RX_SLOT_BYTES);
    this.#port = hypercalls.evtchnBindInterdomain(this.#domid, channel);
    activations.bind(this.#port, () => this.events++);
    this.connected = true;
  }

  setState(state: number): void {
    this.kernel.xenstore.write(`/local/domain/0/backend/vif/${this.#domid}/0/state`, `${state}`);
  }

  kick(): void {
    this.kernel.hypercalls.evtchnSend(this.#port);
  }

  /** Answers a TX request. */
  answerTx(id: number, status = 0): void {
    this.tx.reqCons = this.tx.reqCons + 1;
    this.kernel.memory.i32[this.tx.nextResponse() >>> 2] = (id & 0xffff) | (status << 16);
  }

  /** The id of a TX request that was not answered yet. @param ahead 0 for the next one. */
  txId(ahead = 0): number {
    return this.kernel.memory.u16[(this.tx.slotAddr(this.tx.rspProdPvt + ahead) + 8) >>> 1]!;
  }

  /** Writes into the page of the next RX request and answers it. @param change what the answer says instead. */
  answerRx(
    data: Uint8Array,
    change: { readonly id?: number; readonly offset?: number; readonly flags?: number; readonly status?: number } = {},
  ): number {
    const { memory, hypercalls, pages } = this.kernel;
    const slot = this.rx.slotAddr(this.rx.rspProdPvt);
    const id = memory.u16[slot >>> 1]!;
    const ref = memory.u32[(slot + 4) >>> 2]!;
    const { offset = 2, flags = 0, status = data.length } = change;
    const page = pages.alloc();
    memory.u8.set(data, page);
    const copied = hypercalls.grantCopyOut(page, this.#domid, ref, Math.min(offset, 4096 - data.length), data.length);
    pages.free(page);
    this.rawRx((change.id ?? id) | (offset << 16), flags | (status << 16));
    return copied;
  }

  /** Answers the next RX request with these two words. */
  rawRx(word0: number, word1: number): void {
    const { i32 } = this.kernel.memory;
    this.rx.reqCons = this.rx.reqCons + 1;
    const slot = this.rx.nextResponse() >>> 2;
    i32[slot] = word0;
    i32[slot + 1] = word1;
  }

  /** Publishes the answers; an event only when asked for. */
  push(): void {
    const tx = this.tx.pushResponsesAndCheckNotify();
    const rx = this.rx.pushResponsesAndCheckNotify();
    if (tx || rx) this.kick();
  }
}
