import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'

/** The door to the Prometheus client library. One registry per part; metrics are declared in one file per part. */
export { Counter, Gauge, Histogram, Registry }

/** A registry with the process metrics that every Prometheus user expects (`process_…`, `nodejs_…`). */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

/** A gauge whose value is read whenever the metrics are. */
export function addGauge(registry: Registry, name: string, help: string, read: () => number): void {
  const gauge: Gauge = new Gauge({ name, help, registers: [registry], collect: () => gauge.set(read()) })
}

/** A counter that is kept elsewhere; its value is read whenever the metrics are. */
export function addCounter(registry: Registry, name: string, help: string, read: () => number): void {
  addCounters(registry, name, help, 'kind', () => [['', read()]])
}

/** Counters that differ in one label, kept elsewhere. An empty value stands for the counter without the label. */
export function addCounters(registry: Registry, name: string, help: string, label: string, read: () => Iterable<readonly [value: string, count: number]>): void {
  const counter: Counter = new Counter({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect() {
      counter.reset()
      for (const [value, count] of read()) {
        if (value === '') counter.inc(count)
        else counter.inc({ [label]: value }, count)
      }
    },
  })
}
