import Fastify from 'fastify';
import pg from 'pg';

// The yardstick: bare Fastify and one named SELECT, without authentication or cryptography. What a request
// costs beyond it is ours.
const pool = new pg.Pool({ connectionString: process.env.BENCH_DATABASE_URL, max: 16 });
const app = Fastify();
app.get<{ Params: { id: string } }>('/rows/:id', async (request, reply) => {
  const { rows } = await pool.query<{ payload: Buffer }>({
    name: 'row-by-id',
    text: 'SELECT payload FROM yardstick WHERE id = $1',
    values: [request.params.id],
  });
  return await reply.type('application/octet-stream').send(rows[0]?.payload);
});
await app.listen({ host: '127.0.0.1', port: Number(process.env.BENCH_PORT) });
process.send?.('ready');
