"""The words that made-up documents are made of. Places and trades exist; companies, products and rules do not."""

from __future__ import annotations

from bench.semantic_cache.filling import companies, listed

ORGANISATIONS = tuple(companies())
"""Over 80,000 names."""

REGIONS = listed(
    "the Nordics; the Baltics; Iberia; the Alps; the Benelux; the Balkans; Central America; the Andes; the Gulf; East "
    "Africa; South Asia; Oceania",
    "; ",
)
CITIES = listed(
    "Aarhus Bergen Bilbao Bologna Bremen Brno Cork Dijon Gdansk Ghent Graz Kaunas Leeds Lille Linz Malaga Namur "
    "Nantes Padua Porto Riga Split Tampere Turin Utrecht Varna Zagreb Accra Cusco Dunedin Kochi Mombasa Muscat Salta"
)
LINES = listed(
    "cold storage; packaging film; water pumps; cargo scanning; dental implants; fleet insurance; grain trading; "
    "hotel linen; industrial coatings; lift maintenance; marine engines; optical fibre; paper recycling; payroll "
    "services; rail signalling; school catering; seed treatment; solar inverters; spare parts; street lighting; "
    "surgical gloves; tunnel boring; veterinary vaccines; waste collection; wine bottling; workwear rental",
    "; ",
)
MONTHS = listed("January February March April May June July August September October November December")
ROLES = listed(
    "the line manager; the head of the department; the works council; the data protection officer; the site engineer; "
    "the finance controller; the safety officer; the travel desk; the legal team; the duty nurse; the fleet office",
    "; ",
)
TOPICS = listed(
    "air travel; rail travel; hotel stays; meals on the road; private cars; company phones; remote work; parental "
    "leave; sick leave; sabbaticals; overtime; night shifts; standby duty; language courses; external training; home "
    "offices; guest visits; gifts from suppliers; side jobs; relocation; company bicycles; childcare; eye tests; "
    "first aid; fire drills; visitor badges; server rooms; lost laptops; passwords; customer data; document "
    "retention; photography; social media; press enquiries; expense claims; petty cash; purchase orders; contract "
    "signatures; export papers; hazardous goods",
    "; ",
)
PRODUCTS = listed(
    "heat pump; label printer; forklift; coffee machine; blood analyser; ventilation unit; packaging robot; "
    "irrigation controller; dishwasher; lathe; baggage scanner; water softener; wheel balancer; dough mixer; laser "
    "cutter; ice maker; battery charger; steam boiler; weather station; conveyor",
    "; ",
)
PARTS = listed(
    "compressor; feed roller; control panel; drive belt; inlet filter; main valve; coolant pump; safety switch; mast "
    "chain; spindle; print head; exhaust fan; pressure sensor; door seal; gear box; heating element; level probe; "
    "power supply; circuit board; drain hose; hydraulic cylinder; guide rail; ignition unit; mixing bowl; nozzle; oil "
    "pan; relay; rotary encoder; servo motor; spray arm; steam trap; temperature probe; thermostat; touch screen; "
    "transformer; vacuum cup; vent flap; water tank; weighing cell; wiring loom",
    "; ",
)
SYMPTOMS = listed(
    "stops without a warning; runs hot; makes a grinding noise; leaks at the joint; does not start; loses pressure; "
    "vibrates at full speed; shows a blank display; resets itself; answers late",
    "; ",
)
REMEDIES = listed(
    "clean the contacts; replace the gasket; bleed the line; tighten the clamp; update the firmware; swap the fuse; "
    "grease the bearing; recalibrate it; flush the circuit; check the earth lead",
    "; ",
)
