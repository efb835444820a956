// Made-up layers in the shape of the demo workspace, for working on the page without the server. No figure here means anything.

let seed = 20231222;
const random = () => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
};
const pick = (list) => list[Math.floor(random() * list.length)];

const CENTRE = [112.83, 22.65];
const M2_PER_DEGREE2 = 110_900 * 102_700;

const round = (value, places) => Number(value.toFixed(places));

function ringArea(ring) {
  let sum = 0;
  for (let i = 1; i < ring.length; i += 1) sum += ring[i - 1][0] * ring[i][1] - ring[i][0] * ring[i - 1][1];
  return Math.abs(sum / 2) * M2_PER_DEGREE2;
}

function blob([x, y], radius, corners, wobble) {
  const ring = [];
  for (let i = 0; i < corners; i += 1) {
    const angle = (i / corners) * Math.PI * 2;
    const r = radius * (1 - wobble / 2 + random() * wobble);
    ring.push([round(x + Math.cos(angle) * r, 7), round(y + Math.sin(angle) * r * 0.93, 7)]);
  }
  ring.push(ring[0]);
  return { type: 'Polygon', coordinates: [ring] };
}

function oblong([x, y], wide, high) {
  const angle = random() * 0.6;
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  const corner = (dx, dy) => [round(x + dx * c - dy * s, 7), round(y + dx * s + dy * c, 7)];
  const ring = [corner(0, 0), corner(wide, 0), corner(wide, high), corner(0, high)];
  return { type: 'Polygon', coordinates: [[...ring, ring[0]]] };
}

export const TOWNS = ['沙坪街道', '雅瑶镇', '龙口镇', '古劳镇', '桃源镇', '鹤城镇', '共和镇', '址山镇', '宅梧镇', '双合镇'];
const PLACES = [[112.96, 22.77], [112.93, 22.7], [112.87, 22.8], [112.94, 22.82], [112.9, 22.73], [112.83, 22.62], [112.95, 22.6], [112.78, 22.53], [112.62, 22.62], [112.55, 22.5]];
const TOWNS_EN = ['Shaping', 'Yayao', 'Longkou', 'Gulao', 'Taoyuan', 'Hecheng', 'Gonghe', 'Zhishan', 'Zhaiwu', 'Shuanghe'];
const STATUS = [['线索', 'Clue'], ['认定', 'Recognised'], ['方案编制', 'Plan in preparation'], ['方案批准', 'Plan approved'], ['收储', 'Taken into reserve'], ['改造', 'Under redevelopment'], ['完成处置', 'Disposed'], ['暂缓', 'On hold']];
const USES = [['100101', '一类工业用地', 'Industrial class 1', '#bb9674'], ['100102', '二类工业用地', 'Industrial class 2', '#bb9674'], ['1101', '物流仓储用地', 'Logistics', '#8761d3'], ['0901', '商业用地', 'Commercial', '#ff0000'], ['0701', '城镇住宅用地', 'Urban housing', '#ffff2d'], ['0301', '乔木林地', 'Arbor forest', '#68b167'], ['0101', '水田', 'Paddy field', '#f5f8dc'], ['1701', '河流水面', 'River', '#338ec0']];

const text = (title, en, more = {}) => ({ title, 'x-title-en': en, type: 'string', ...more });
const codes = (list) => ({ oneOf: list.map(([value, en]) => ({ const: value, title: value, 'x-title-en': en })) });
const uses = { oneOf: USES.map(([value, title, en, color]) => ({ const: value, title, 'x-title-en': en, 'x-color': color })) };
const derived = {
  area_m2: { title: '椭球面积（平方米）', 'x-title-en': 'Ellipsoidal area (m²)', type: 'number', 'x-unit': 'm²', readOnly: true },
  area_planar_m2: { title: '平面面积（平方米）', 'x-title-en': 'Planar area (m²)', type: 'number', 'x-unit': 'm²', readOnly: true },
  area_mu: { title: '椭球面积（亩）', 'x-title-en': 'Ellipsoidal area (mu)', type: 'number', 'x-unit': '亩', readOnly: true },
  area_ha: { title: '椭球面积（公顷）', 'x-title-en': 'Ellipsoidal area (ha)', type: 'number', 'x-unit': 'ha', readOnly: true },
};
const town = text('镇街', 'Town', { oneOf: TOWNS.map((value, order) => ({ const: value, title: value, 'x-title-en': TOWNS_EN[order] })) });
const provenance = text('数据来源性质', 'Provenance');
const name = text('名称', 'Name');

const near = (order, spread) => [PLACES[order][0] + (random() - 0.5) * spread, PLACES[order][1] + (random() - 0.5) * spread];

function parcels() {
  return Array.from({ length: 420 }, (_, order) => {
    const at = Math.floor(random() * 10);
    const [code, title] = USES[order % 2];
    const done = random() < 0.33;
    const properties = { code: `DX-${String(order + 1).padStart(4, '0')}`, town: TOWNS[at], status: done ? '完成处置' : pick(STATUS)[0], mode: pick(['工改工', '收储', '拓展合作', null]), use_code: code, use_name: title, confirmed_on: '2023-03-18', completed_on: done ? '2024-06-30' : null, year_planned: 2023 + (order % 3), far: round(0.4 + random(), 2), reason: null, note: null, provenance: 'synthetic' };
    return [oblong(near(at, 0.05), 0.0006 + random() * 0.0012, 0.0005 + random() * 0.0009), properties];
  });
}

const layers = [
  ['county', '县域', 'County', 'real', 'surface', { name }, [[blob(CENTRE, 0.3, 60, 0.25), { name: '鹤山市' }]], '县域轮廓（示意）。'],
  ['towns', '镇街（近似）', 'Towns (approximate)', 'approximate', 'surface', { name }, TOWNS.map((value, order) => [blob(PLACES[order], 0.05, 14, 0.2), { name: value }]), '以驻地泰森多边形近似。'],
  ['seats', '镇街驻地', 'Town seats', 'real', 'point', { name }, TOWNS.map((value, order) => [{ type: 'Point', coordinates: PLACES[order] }, { name: value }]), ''],
  ['parcels', '低效工业用地', 'Low-efficiency industrial land', 'synthetic', 'surface', { code: text('编号', 'Code'), town, status: text('处置状态', 'Status', codes(STATUS)), mode: text('处置方式', 'Mode'), use_code: text('用地代码', 'Land-use code', uses), use_name: text('用地名称', 'Land use'), confirmed_on: text('认定日期', 'Recognised on', { format: 'date' }), completed_on: text('完成日期', 'Completed on', { format: 'date' }), year_planned: { title: '计划年度', 'x-title-en': 'Planned year', type: 'integer' }, far: { title: '容积率', 'x-title-en': 'Floor area ratio', type: 'number' }, reason: text('未实施原因', 'Reason'), note: text('备注', 'Note'), provenance }, parcels(), '合成的低效工业用地图斑，仅供演示。'],
  ['parks', '产业园区', 'Industrial parks', 'synthetic', 'surface', { name, kind: text('类别', 'Kind'), stated_area: { title: '文件所载面积', 'x-title-en': 'Stated area', type: 'number' }, stated_unit: text('单位', 'Unit'), note: text('备注', 'Note'), provenance }, [[blob([112.79, 22.56], 0.028, 18, 0.2), { name: '产业有序转移主平台', kind: '主平台', stated_area: 31.2, stated_unit: 'km²', note: null, provenance: 'synthetic' }], [blob([112.94, 22.62], 0.018, 16, 0.2), { name: '鹤山产业园', kind: '产业园', stated_area: 1029, stated_unit: '公顷', note: null, provenance: 'synthetic' }]], ''],
  ['landuse', '用地现状', 'Land use', 'synthetic', 'surface', { use_code: text('用地代码', 'Land-use code', uses), use_name: text('用地名称', 'Land use'), town, provenance }, Array.from({ length: 3600 }, () => { const [code, title] = pick(USES); const at = Math.floor(random() * 10); return [oblong([112.55 + random() * 0.5, 22.45 + random() * 0.4], 0.004, 0.003), { use_code: code, use_name: title, town: TOWNS[at], provenance: 'synthetic' }]; }), ''],
  ['supply', '供地台账', 'Land supply', 'synthetic', 'surface', { code: text('编号', 'Code'), town, use: text('用途', 'Use'), stage: text('阶段', 'Stage', codes([['计划', 'Planned'], ['挂网', 'Listed'], ['成交', 'Sold'], ['竣工', 'Completed']])), year: { title: '年度', 'x-title-en': 'Year', type: 'integer' }, provenance }, Array.from({ length: 60 }, (_, order) => [oblong(near(order % 10, 0.06), 0.002, 0.0015), { code: `GD-${order + 1}`, town: TOWNS[order % 10], use: '工业', stage: pick(['计划', '挂网', '成交', '竣工']), year: 2023, provenance: 'synthetic' }]), ''],
  ['projects', '重点项目', 'Key projects', 'synthetic', 'point', { name, town, stage: text('阶段', 'Stage'), provenance }, Array.from({ length: 28 }, (_, order) => [{ type: 'Point', coordinates: near(order % 10, 0.05) }, { name: `项目 ${order + 1}`, town: TOWNS[order % 10], stage: pick(['签约', '供地', '动工', '投产']), provenance: 'synthetic' }]), ''],
  ['tasks', '任务清单', 'Tasks', 'synthetic', 'none', { code: text('编号', 'Code'), level: text('层级', 'Level', codes([['县级', 'County'], ['镇级', 'Town'], ['村级', 'Village']])), title: text('任务', 'Task'), town, provenance }, Array.from({ length: 366 }, (_, order) => [null, { code: `T${order + 1}`, level: order < 166 ? '县级' : order < 250 ? '镇级' : '村级', title: `任务 ${order + 1}`, town: TOWNS[order % 10], provenance: 'synthetic' }]), ''],
];

function finish(geometry, properties, id) {
  if (!geometry || geometry.type !== 'Polygon') return { type: 'Feature', id, geometry, properties };
  const m2 = round(ringArea(geometry.coordinates[0]), 2);
  return { type: 'Feature', id, geometry, properties: { ...properties, area_m2: m2, area_planar_m2: round(m2 * 1.00031, 2), area_mu: round((m2 * 3) / 2000, 4), area_ha: round(m2 / 10_000, 4) } };
}

function boxOf(features) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { geometry } of features) {
    const points = geometry === null ? [] : geometry.type === 'Point' ? [geometry.coordinates] : geometry.coordinates.flat();
    for (const [x, y] of points) {
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x);
      box[3] = Math.max(box[3], y);
    }
  }
  return box;
}
export { boxOf };

export const LAYERS = new Map(
  layers.map(([id, title, title_en, kind, geometry, properties, rows, description]) => {
    const features = rows.map(([shape, values], order) => finish(shape, values, order + 1));
    const extent = geometry === 'none' ? {} : { extent: { spatial: { bbox: [boxOf(features)], crs: 'http://www.opengis.net/def/crs/OGC/1.3/CRS84' } } };
    const collection = { id, title, title_en, description, provenance: kind, geometry, itemCount: features.length, ...extent, grid: 'EPSG:4547', links: [] };
    const schema = { type: 'object', properties: geometry === 'surface' ? { ...properties, ...derived } : properties };
    return [id, { collection, schema, features }];
  }),
);

const sources = [{ document: '2022-12-20 市委全会报告', date: '2022-12-20', text: '用三年时间完成低效工业用地处置两万亩以上' }];
export const TARGETS = [
  { id: 'L01', title: '低效工业用地处置', title_en: 'Remediation of low-efficiency industrial land', direction: '>=', value: 20000, unit: 'mu', period: { from: '2023-01-01', to: '2025-12-31' }, sources, layer: 'parcels', filter: "status = '完成处置'", definition: { zh: '状态为“完成处置”的图斑，按完成日期计，重叠只计一次', en: 'Parcels whose status is “disposed”, counted at completion, overlaps once' } },
  { id: 'L03', title: '工业用地供应', title_en: 'Supply of industrial land', direction: '>=', value: 4000, unit: 'mu', period: { from: '2023-01-01', to: '2023-12-31' }, sources: [{ document: '政府工作报告', date: '2023' }], layer: 'supply', filter: "use = '工业'", definition: { zh: '用途为工业的供地', en: 'Supply for industrial use' } },
  { id: 'P01', title: '产业有序转移主平台', title_en: 'Main platform for industrial transfer', direction: '=', value: 31.2, unit: 'km2', period: null, sources: [{ document: '江门日报', date: '2023' }], layer: 'parks', filter: "name = '产业有序转移主平台'", definition: { zh: '图上边界量算面积', en: 'Measured area of the drawn boundary' } },
  { id: 'P07', title: '鹤山产业园', title_en: 'Heshan Industrial Park', direction: '=', value: 1029, unit: 'ha', period: null, sources: [{ document: '市委全会报告', date: '2022-12-20' }], layer: 'parks', filter: "name = '鹤山产业园'", definition: { zh: '图上边界量算面积', en: 'Measured area of the drawn boundary' } },
];
