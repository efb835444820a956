-- Requests for wrk: PATHF is a path with {bbox} or {id}, filled anew for each request from BOX (west,south,east,north
-- of the layer) and N (ids run from 1 to N). KIND is bbox (some 550 of the generator's parcels) or id.
local kind, path = os.getenv("KIND"), os.getenv("PATHF")
local x0, y0, x1, y1 = os.getenv("BOX"):match("([^,]+),([^,]+),([^,]+),([^,]+)")
x0, y0, x1, y1 = tonumber(x0), tonumber(y0), tonumber(x1), tonumber(y1)
local n = tonumber(os.getenv("N"))
local w, h = 0.0114, 0.0106

-- Threads ask for different things; every run asks for the same.
local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("seed", 42 + threads)
end

function init()
  math.randomseed(seed)
end

function request()
  if kind == "bbox" then
    local x, y = x0 + math.random() * (x1 - x0 - w), y0 + math.random() * (y1 - y0 - h)
    return wrk.format("GET", (path:gsub("{bbox}", string.format("%.6f,%.6f,%.6f,%.6f", x, y, x + w, y + h))))
  end
  return wrk.format("GET", (path:gsub("{id}", tostring(math.random(1, n)))))
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"rate": %.2f, "p50_ms": %.3f, "p99_ms": %.3f, "bytes": %.1f, "requests": %d, "errors": %d}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.bytes / math.max(1, summary.requests), summary.requests, e.status + e.connect + e.read + e.timeout))
end
