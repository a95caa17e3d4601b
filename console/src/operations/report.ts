/** `GET /console/operations`: the metrics since the start of the service, and what waits. */
export interface OperationsReport {
  at: string | null;
  version: string;
  uptime_seconds: number;
  requests: { route: string; method: string; status: number; count: number }[];
  latencies: Latency[];
  links: { kind: string; key_id: string; count: number }[];
  refusals: { reason: string; count: number }[];
  others: { name: string; help: string; labels: Record<string, string>; value: number }[];
  /** Null if the database does not answer. */
  restores: { queue: { datasets: number; running: number }; unfinished: UnfinishedRestore[] } | null;
  signing_key: { id: string; age_seconds: number | null; warning: string | null } | null;
}

/** The times until the head of the response. */
export interface Latency {
  route: string;
  count: number;
  sum_seconds: number;
  /** Each counts those before it, too. The last has no bound. */
  buckets: { le_seconds: number | null; count: number }[];
}

export interface UnfinishedRestore {
  workspace_id: number;
  dataset_id: number;
  status: string;
  orders: number;
  total: number;
  restored: number;
  failed: number;
  bytes: number;
  since: string | null;
  updated_at: string | null;
  attempts: number;
  due_in_seconds: number | null;
}

/** `POST /console/doctor`. */
export interface DoctorReport {
  sections: { title: string; checks: DoctorCheck[] }[];
}

export interface DoctorCheck {
  status: 'ok' | 'skipped' | 'warning' | 'failure';
  name: string;
  found: string;
  advice?: string;
}
