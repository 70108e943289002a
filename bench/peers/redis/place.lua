-- Places an order, all or nothing. Redis runs one script at a time, so that nothing comes between.
--
-- KEYS: the order, then the stock of each SKU that it needs. ARGV: what is kept of the order, then a quantity for each
-- SKU. Returns {1, number}; {0, what is kept} if the order is there already; {-1, i, available} if SKU i is short.
local known = redis.call('GET', KEYS[1])
if known then
  return {0, known}
end
for i = 2, #KEYS do
  local available = tonumber(redis.call('GET', KEYS[i]) or '0')
  if available < tonumber(ARGV[i]) then
    return {-1, i - 1, available}
  end
end
for i = 2, #KEYS do
  redis.call('DECRBY', KEYS[i], ARGV[i])
end
local number = redis.call('INCR', 'orders')
redis.call('SET', KEYS[1], number .. ' ' .. ARGV[1])
return {1, number}
