/**
 * One run of gondolin's NetworkStack: `node gondolin-child.js receives|sends SECONDS WARM_UP_SECONDS` prints its figures.
 * A guest of a few lines stands at the other end of the wire: it opens a connection, then sends whole segments as the
 * gateway acknowledges them, or acknowledges what the gateway sends, every second segment.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { NETWORK_STACK } from './gondolin.ts';

/** What is used of it. */
interface NetworkStack {
  receive(frame: Buffer): void;
  hasPendingData(): boolean;
  readFromNetwork(maxLen: number): Buffer | null;
  handleTcpConnected(message: { key: string }): void;
  handleTcpData(message: { key: string; data: Buffer }): void;
}

interface Callbacks {
  onUdpSend(): void;
  onTcpConnect(message: { key: string }): void;
  onTcpSend(message: { data: Buffer }): void;
  onTcpClose(): void;
  onTcpPause(): void;
  onTcpResume(): void;
}

type NetworkStackClass = new (options: { callbacks: Callbacks }) => NetworkStack;

const [direction, seconds, warmUpSeconds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const MSS = 1460;
const ETH = 14;
const TCP = ETH + 20;
const HEADERS = TCP + 20;
const FRAME_PREFIX = 4;
/** What the gateway may have to send at a time. */
const CHUNK = Buffer.alloc(65_536, 0x5a);
/** More than the gateway ever has in flight, so that a read ends with a whole frame. */
const WHOLE_QUEUE = 1 << 20;
/** As much as the gateway's own window. */
const GUEST_WINDOW = 65_535;
/** Segments that the guest sends in a row. */
const BURST = 16;
const [SYN, ACK, PSH_ACK] = [0x02, 0x10, 0x18];
/** The gateway wants to know the protocol of a flow before it lets it through. */
const GREETING = Buffer.from('GET / HTTP/1.1\r\nHost: guest\r\n\r\n');

const { NetworkStack } = createRequire(import.meta.url)(fileURLToPath(NETWORK_STACK)) as {
  NetworkStack: NetworkStackClass;
};

let key = '';
let toApplication = 0;
let paused = false;
const stack = new NetworkStack({
  callbacks: {
    onUdpSend: () => {},
    onTcpConnect: (message) => {
      key = message.key;
    },
    onTcpSend: ({ data }) => {
      toApplication += data.length;
    },
    onTcpClose: () => {},
    onTcpPause: () => {
      paused = true;
    },
    onTcpResume: () => {
      paused = false;
    },
  },
});

function frame(payload: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADERS + payload.length);
  Buffer.from('5a94efe40cdd0200000000010800', 'hex').copy(bytes);
  bytes.writeUInt8(0x45, ETH);
  bytes.writeUInt16BE(40 + payload.length, ETH + 2);
  bytes.writeUInt8(64, ETH + 8);
  bytes.writeUInt8(6, ETH + 9);
  Buffer.from([192, 168, 127, 3, 93, 184, 216, 34]).copy(bytes, ETH + 12);
  bytes.writeUInt16BE(40_000, TCP);
  bytes.writeUInt16BE(80, TCP + 2);
  bytes.writeUInt8(0x50, TCP + 12);
  bytes.writeUInt16BE(GUEST_WINDOW, TCP + 14);
  payload.copy(bytes, HEADERS);
  return bytes;
}

const bare = frame(Buffer.alloc(0));
const full = frame(Buffer.alloc(MSS, 0x5a));
let guestSeq = 1000;
let acknowledged = 0;
let gatewaySeq = 0;

function emit(bytes: Buffer, flags: number): void {
  bytes.writeUInt32BE(guestSeq >>> 0, TCP + 4);
  bytes.writeUInt32BE(gatewaySeq >>> 0, TCP + 8);
  bytes.writeUInt8(flags, TCP + 13);
  stack.receive(bytes);
}

let received = 0;
let unacknowledged = 0;

/** Takes the frames that the gateway has. @returns false when there are none. */
function take(): boolean {
  if (!stack.hasPendingData()) return false;
  const chunk = stack.readFromNetwork(WHOLE_QUEUE);
  if (chunk === null) return false;
  for (let at = 0; at + FRAME_PREFIX + HEADERS <= chunk.length; ) {
    const length = chunk.readUInt32BE(at);
    const tcp = at + FRAME_PREFIX + TCP;
    const payload = length - HEADERS;
    acknowledged = chunk.readUInt32BE(tcp + 8);
    gatewaySeq = chunk.readUInt32BE(tcp + 4) + payload + ((chunk[tcp + 13]! & SYN) !== 0 ? 1 : 0);
    received += payload;
    if (payload > 0 && ++unacknowledged === 2) {
      unacknowledged = 0;
      emit(bare, ACK);
    }
    at += FRAME_PREFIX + length;
  }
  return true;
}

function turn(): void {
  if (direction === 'receives') {
    for (let i = 0; i < BURST && guestSeq - acknowledged < GUEST_WINDOW - MSS; i++) {
      emit(full, ACK);
      guestSeq += MSS;
    }
    while (take());
    if (guestSeq > 0xf000_0000) throw new Error('the run is too long for its sequence numbers');
  } else {
    if (!paused) stack.handleTcpData({ key, data: CHUNK });
    if (!take() && unacknowledged > 0) {
      unacknowledged = 0;
      emit(bare, ACK);
    }
    while (take());
  }
}

emit(bare, SYN);
guestSeq++;
while (take());
stack.handleTcpConnected({ key });
while (take());
emit(bare, ACK);
emit(frame(GREETING), PSH_ACK);
guestSeq += GREETING.length;
while (take());

function runFor(span: number): number {
  const startMs = performance.now();
  let nowMs = startMs;
  while (nowMs - startMs < span * 1000) {
    for (let i = 0; i < 8; i++) turn();
    nowMs = performance.now();
  }
  return (nowMs - startMs) / 1000;
}

const total = (): number => (direction === 'receives' ? toApplication : received);
runFor(warmUpSeconds);
const [before, cpu] = [total(), process.cpuUsage()];
const span = runFor(seconds);
const bytes = total() - before;
const { user, system } = process.cpuUsage(cpu);
const figures = { bitsPerSecond: (bytes * 8) / span, cpuNsPerByte: ((user + system) * 1000) / bytes };
process.stdout.write(`${JSON.stringify(figures)}\n`);
