-- Requests for wrk: PATHF is a path with {bbox}, {id} or {filter}, filled anew for each request from BOX (west,south,
-- east,north of the layer) and N (ids run from 1 to N). KIND is bbox (some 550 of the generator's parcels), count (a box
-- of some 13,000), filter (CQL2 over land use and area ratio) or id.
local kind, path = os.getenv("KIND"), os.getenv("PATHF")
local x0, y0, x1, y1 = os.getenv("BOX"):match("([^,]+),([^,]+),([^,]+),([^,]+)")
x0, y0, x1, y1 = tonumber(x0), tonumber(y0), tonumber(x1), tonumber(y1)
local n = tonumber(os.getenv("N"))
local w, h = 0.0114, 0.0106
if kind == "count" then w, h = 0.056, 0.052 end
local uses = { "0501", "0505", "0507", "0601", "0604", "0701", "0702", "0801", "0803", "0806" }

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
  if kind == "bbox" or kind == "count" then
    local x, y = x0 + math.random() * (x1 - x0 - w), y0 + math.random() * (y1 - y0 - h)
    return wrk.format("GET", (path:gsub("{bbox}", string.format("%.6f,%.6f,%.6f,%.6f", x, y, x + w, y + h))))
  end
  if kind == "filter" then
    local filter = string.format("land_use%%3D'%s'%%20AND%%20far%%3E%.6f", uses[math.random(#uses)], math.random())
    return wrk.format("GET", (path:gsub("{filter}", (filter:gsub("%%", "%%%%")))))
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
