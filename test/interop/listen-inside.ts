import { createServer } from 'node:net'

/**
 * Started in a network namespace by `createLoopbackNode`: listens on HOST PORT there and hands the socket to the process that asked.
 * A socket stays in the namespace in which it was made, so what is behind it can live in the test.
 */
const [host, port] = process.argv.slice(2)
const server = createServer()
server.once('error', (error) => {
  process.send?.({ failed: error.message })
  process.disconnect?.()
})
server.listen({ host, port: Number(port) }, () => process.send?.('listening', server))
process.once('message', () => {
  server.close()
  process.disconnect?.()
})
