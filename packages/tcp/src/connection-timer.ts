import { Timer } from '@qanat/clock';
import type { Connection } from './connection.ts';

/** The timer of a connection: one function serves them all. */
export class ConnectionTimer extends Timer {
  readonly connection: Connection;

  constructor(connection: Connection) {
    super(connectionDue);
    this.connection = connection;
  }
}

function connectionDue(this: Timer): void {
  const { connection } = this as ConnectionTimer;
  connection.tcp.connectionTimer(connection);
}
