/** Subscribers to one kind of event. A listener that throws does not keep the others from hearing it. */
export interface Listeners<T> {
  add(listener: (event: T) => void): () => void
  emit(event: T): void
}

/** @param onThrow - told what a listener threw */
export function createListeners<T>(onThrow: (error: unknown) => void): Listeners<T> {
  const listeners = new Set<(event: T) => void>()
  return {
    add(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    emit(event) {
      for (const listener of [...listeners]) {
        try {
          listener(event)
        } catch (error) {
          onThrow(error)
        }
      }
    },
  }
}
