import type { Flow } from '@qanat/stack';
import type { PatternArea } from '../pattern.ts';
import type { ConnectedStream, StreamEnd, StreamPlan, StreamSample } from '../protocol.ts';

/** What a stream needs of the domain it runs in. */
export interface StreamHost {
  /** Microseconds of the domain's clock. */
  now(): number;
  readonly pattern: PatternArea;
  /** Bytes of one write. */
  readonly length: number;
  /** Bytes are sent from where they lie in the pattern. */
  readonly lend: boolean;
  readonly verify: boolean;
  /** Has a task run soon, after what else there is to do. */
  defer(task: () => void): void;
  /** A stream has ended its sending, or its receiving, or its connection is over. */
  streamChanged(): void;
}

/** Writes in a row; then the loop gets a turn, so that a test of tiny writes does not keep it from its events. */
const WRITES_PER_TURN = 64;

/** One flow of the test at one of its ends, on the zero-promise level of the stack. */
export class Stream {
  readonly plan: StreamPlan;
  readonly sender: boolean;
  readonly flow: Flow;
  readonly #host: StreamHost;
  connected = false;
  /**
   * The stream's span is over. Receiver: the peer's FIN was read; sender: the time is up, or all its bytes have
   * arrived. Or the flow died.
   */
  stopped = false;
  /** Nothing more will come or go. */
  finished = false;
  /** The connection is over: what closes it has come and gone. */
  closed = false;
  cut = false;
  error: string | undefined;
  /** Passes 2^31: first a fraction, so that V8 keeps a double there from the start. */
  bytes = 0.5;
  #sending = false;
  #shut = false;
  #startUs = 0;
  #stoppedUs = 0;
  #verifiedBytes = 0;
  #wrongBytes = 0;
  #firstWrong = -1;
  // Since the last sample.
  #sampledUs = 0;
  #sampledBytes = 0;
  #sampledRetransmits = 0;
  // Over all samples.
  #lastInfo: TcpFigures = NO_FIGURES;
  #maxCwndBytes = 0;
  #maxSndWndBytes = 0;
  #maxRttUs = 0;
  #minRttUs = 0;
  #rttSumUs = 0;
  #rttSamples = 0;

  constructor(plan: StreamPlan, sender: boolean, flow: Flow, host: StreamHost, onConnect: () => void) {
    this.plan = plan;
    this.sender = sender;
    this.bytes = 0;
    this.flow = flow;
    this.#host = host;
    flow.onConnect = () => {
      this.connected = true;
      onConnect();
    };
    flow.onReadable = () => this.#read();
    flow.onWritable = () => this.#write();
    flow.onEnd = () => this.#peerEnded();
    flow.onClose = (error) => this.#flowClosed(error?.code);
  }

  describe(): ConnectedStream {
    const { local, remote } = this.flow;
    return {
      id: this.plan.id,
      localHost: local.address,
      localPort: local.port,
      remoteHost: remote.address,
      remotePort: remote.port,
      mss: this.#figures().mss,
    };
  }

  /** The measurement begins (for all streams of the domain at the same moment). */
  start(nowUs: number): void {
    this.#startUs = nowUs;
    this.#sampledUs = nowUs;
    if (this.stopped || !this.sender) return;
    this.#sending = true;
    this.#write();
  }

  /** Ends the sending: what is queued still goes out. */
  stop(): void {
    if (!this.sender || this.stopped || this.#shut) return;
    this.#shut = true;
    this.#sending = false;
    this.flow.shutdown();
    // A test by bytes takes until they have arrived.
    if (this.plan.bytes === 0) this.#stop();
  }

  /** Gives up what has not come or gone yet. */
  abort(): void {
    if (this.finished) return;
    this.cut = true;
    this.#stop();
    this.flow.reset();
    this.#finish();
  }

  /** @returns the span since the last sample, which ends now (or when the stream stopped), or undefined after that. */
  sample(): StreamSample | undefined {
    const endUs = this.stopped ? this.#stoppedUs : this.#host.now();
    if (this.#sampledUs >= endUs && this.#sampledBytes === this.bytes) return undefined;
    const figures = this.#figures();
    const retransmits = figures.totalRetrans - this.#sampledRetransmits;
    const sample = this.#sampleOf(this.#sampledUs, endUs, this.bytes - this.#sampledBytes, retransmits, figures);
    this.#sampledUs = endUs;
    this.#sampledBytes = this.bytes;
    this.#sampledRetransmits = figures.totalRetrans;
    return sample;
  }

  /** @returns the whole run. */
  end(): StreamEnd {
    const figures = this.#lastInfo;
    const endUs = this.stopped ? this.#stoppedUs : this.#host.now();
    return {
      ...this.#sampleOf(this.#startUs, endUs, this.bytes, figures.totalRetrans, figures),
      maxCwndBytes: this.#maxCwndBytes,
      maxSndWndBytes: this.#maxSndWndBytes,
      maxRttUs: this.#maxRttUs,
      minRttUs: this.#minRttUs,
      meanRttUs: this.#rttSamples > 0 ? Math.round(this.#rttSumUs / this.#rttSamples) : 0,
      ssthreshBytes: figures.ssthreshBytes,
      mss: figures.mss,
      verifiedBytes: this.#verifiedBytes,
      wrongBytes: this.#wrongBytes,
      firstWrong: this.#firstWrong,
      cut: this.cut,
      error: this.error,
    };
  }

  #write(): void {
    // The flow may have died in this batch; `onClose` comes next.
    if (!this.#sending || this.flow.state === 'CLOSED') return;
    const { id, bytes: share } = this.plan;
    const { pattern, length, lend } = this.#host;
    for (let writes = 0; writes < WRITES_PER_TURN; writes++) {
      const left = share > 0 ? share - this.bytes : length;
      if (left <= 0) {
        this.stop();
        return;
      }
      const asked = Math.min(left, length);
      const addr = pattern.at(id, this.bytes);
      const taken = lend ? this.flow.lend(addr, asked) : this.flow.writeFrom(addr, asked);
      this.bytes += taken;
      if (taken < asked) return;
    }
    this.#host.defer(() => this.#write());
  }

  #read(): void {
    if (this.sender) return;
    const { flow } = this;
    for (let bytes = flow.peekBytes; bytes > 0; bytes = flow.peekBytes) {
      if (this.#host.verify) bytes = this.#verify(flow.peekAddr, bytes);
      this.bytes += bytes;
      flow.consume(bytes);
    }
  }

  /** @returns how many bytes were compared: as many as one run of the pattern holds. */
  #verify(addr: number, bytes: number): number {
    const { pattern } = this.#host;
    const run = Math.min(bytes, pattern.maxRun);
    const wrong = pattern.wrongBytes(this.plan.id, this.bytes, addr, run);
    if (wrong > 0 && this.#firstWrong < 0) {
      this.#firstWrong = this.bytes + pattern.firstWrong(this.plan.id, this.bytes, addr, run);
    }
    this.#wrongBytes += wrong;
    this.#verifiedBytes += run;
    return run;
  }

  #peerEnded(): void {
    this.#read();
    this.#stop();
    this.#finish();
    this.flow.close();
  }

  #flowClosed(error: string | undefined): void {
    this.closed = true;
    // A flow that was given up, here or there, dies by a reset, and so does one that everything was read from.
    if (error !== undefined && !this.finished) this.error = error;
    this.#stop();
    this.#finish();
    this.#host.streamChanged();
  }

  #stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.#sending = false;
    this.#stoppedUs = this.#host.now();
    this.#figures();
    this.#host.streamChanged();
  }

  #finish(): void {
    if (this.finished) return;
    this.#figures();
    this.finished = true;
    this.#host.streamChanged();
  }

  #figures(): TcpFigures {
    if (this.closed || this.finished) return this.#lastInfo;
    const info = this.flow.info();
    const figures: TcpFigures = {
      totalRetrans: info.tcpi_total_retrans,
      cwndBytes: info.tcpi_snd_cwnd * info.tcpi_snd_mss,
      ssthreshBytes: Math.min(info.tcpi_snd_ssthresh * info.tcpi_snd_mss, UNLIMITED_SSTHRESH),
      sndWndBytes: info.tcpi_snd_wnd,
      rttUs: info.tcpi_rtt,
      rttvarUs: info.tcpi_rttvar,
      mss: info.tcpi_snd_mss,
      pmtu: info.tcpi_pmtu,
    };
    this.#lastInfo = figures;
    this.#maxCwndBytes = Math.max(this.#maxCwndBytes, figures.cwndBytes);
    this.#maxSndWndBytes = Math.max(this.#maxSndWndBytes, figures.sndWndBytes);
    if (figures.rttUs > 0) {
      this.#maxRttUs = Math.max(this.#maxRttUs, figures.rttUs);
      this.#minRttUs = this.#rttSamples === 0 ? figures.rttUs : Math.min(this.#minRttUs, figures.rttUs);
      this.#rttSumUs += figures.rttUs;
      this.#rttSamples++;
    }
    return figures;
  }

  #sampleOf(fromUs: number, toUs: number, bytes: number, retransmits: number, figures: TcpFigures): StreamSample {
    return {
      id: this.plan.id,
      sender: this.sender,
      startUs: fromUs - this.#startUs,
      endUs: toUs - this.#startUs,
      bytes,
      retransmits,
      cwndBytes: figures.cwndBytes,
      sndWndBytes: figures.sndWndBytes,
      rttUs: figures.rttUs,
      rttvarUs: figures.rttvarUs,
      pmtu: figures.pmtu,
    };
  }
}

/** No loss has set a threshold yet. */
const UNLIMITED_SSTHRESH = 0x7fff_ffff;

/** What the reports need of tcp_info. */
interface TcpFigures {
  readonly totalRetrans: number;
  readonly cwndBytes: number;
  readonly ssthreshBytes: number;
  readonly sndWndBytes: number;
  readonly rttUs: number;
  readonly rttvarUs: number;
  readonly mss: number;
  readonly pmtu: number;
}

const NO_FIGURES: TcpFigures = {
  totalRetrans: 0,
  cwndBytes: 0,
  ssthreshBytes: 0,
  sndWndBytes: 0,
  rttUs: 0,
  rttvarUs: 0,
  mss: 0,
  pmtu: 0,
};
