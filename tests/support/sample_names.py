"""What the sample book is made of: invented people, shops and companies, a price list, and the columns of an imaginary CRM."""

AGENTS = ("ana.martinez", "carlos.rivera", "lucia.flores")
AGENT_NAMES = {"ana.martinez": "Ana Martínez", "carlos.rivera": "Carlos Rivera", "lucia.flores": "Lucía Flores"}
NODES = ("SPS-CENTRO-OLT1", "SPS-NORTE-OLT2", "CHOLOMA-OLT1", "PROGRESO-OLT1", "VILLANUEVA-OLT1", "CEIBA-OLT1")
CITIES = ("San Pedro Sula", "San Pedro Sula", "Choloma", "El Progreso", "Villanueva", "La Ceiba")
PLANS = {
    "Internet Hogar 10 Megas": "24.90",
    "Internet Hogar 50 Megas": "39.90",
    "Internet Hogar 200 Megas": "64.90",
    "Línea fija": "19.90",
    "Internet Negocio 100": "129.00",
    "Internet Negocio 300": "289.00",
    "Enlace Corporativo 50": "450.00",
    "Enlace Corporativo 100": "780.00",
    "Enlace Dedicado 20": "400.00",
    "Enlace Dedicado 100": "1500.00",
    "Tránsito mayorista 1G": "3200.00",
}
FIRST = (
    "María,José,Ana,Luis,Carmen,Carlos,Juana,Jorge,Rosa,Miguel,Karla,Óscar,Gloria,Mario,Suyapa,Héctor,Dunia,René,Lesly,Ángel,Norma,Wilmer,"
    "Xiomara,Denis,Reina,Edwin,Iris,Nelson,Marlen,Selvin"
)
LAST = (
    "Hernández,Martínez,López,Mejía,Rodríguez,Zelaya,Pineda,Reyes,Cruz,Aguilar,Ordóñez,Castellanos,Bonilla,Murillo,Paz,Fúnez,Núñez,Cáceres,"
    "Alvarado,Banegas,Rivera,Santos,Euceda,Padilla,Interiano,Maradiaga,Oliva,Tróchez,Urbina,Velásquez"
)
SHOPS = (
    "Pulpería,Ferretería,Farmacia,Panadería,Clínica,Taller,Librería,Comedor,Agroveterinaria,Óptica,Gimnasio,Lavandería,Bufete,Colegio,"
    "Imprenta,Repuestos,Floristería,Cafetería"
)
SHOP_NAMES = "El Carmen,La Bendición,San Isidro,Los Andes,El Merendón,Usula,La Lima,Dos Caminos,Las Brisas,El Zorzal,Santa Lucía,Río Blanco"
# name | plan | own price | P(ropio) or T(erceros) | why it is VIP beside plan and amount | how it pays March (blank: the bank sees nothing)
VIPS = """\
Hotel Real del Merendón|Enlace Dedicado 20||P||ok
Banco Cooperativo Ulúa|Enlace Dedicado 100||P||ok
Aduanas y Logística Cortés|Enlace Corporativo 50||P||
Maquila Textiles Choloma|Enlace Corporativo 100||P||ok
Universidad Valle de Sula|Enlace Dedicado 100|1.650,00|P||ok
Hospital Santa Bárbara Norte|Enlace Corporativo 100||P||late
Cable Visión Progreso|Tránsito mayorista 1G||P|isp|ok
Internet Rural Yoro|Tránsito mayorista 1G|2.750,00|T|isp|
WISP Atlántida|Enlace Corporativo 100||T|isp|ok
Conexión Garífuna|Tránsito mayorista 1G|3.050,00|P|isp|late
Azucarera Los Cañales|Enlace Dedicado 20|425,00|T||ok
Cementos del Norte|Enlace Corporativo 50|475,00|T||
Puerto Seco Naco|Enlace Corporativo 100||T||ok
Minera Quita Sueño|Enlace Dedicado 20||T||
Supermercados La Espiga|Enlace Corporativo 50||P||ok
Exportadora de Café Copán|Enlace Corporativo 50||P||
Laboratorios Clínicos Usula|Enlace Dedicado 20||P||ok
Centro Comercial Plaza Merendón|Enlace Corporativo 100||P||ok
Call Center Catracho|Enlace Dedicado 100|1.480,00|P||late
Aeropuerto Cargo Express|Enlace Dedicado 20||P||
Alcaldía de Potrerillos|Internet Negocio 300|545,00|P||ok
Cooperativa Sagrada Familia|Internet Negocio 300|620,50|P||
Distribuidora Llantas y Más|Internet Negocio 300||P|Gerencia General, por contrato marco de tres años|ok
Iglesia Vida Nueva|Internet Negocio 100||P|Gerente de Ventas, patrocinio de la transmisión dominical|ok
Radio Estéreo Sula|Internet Negocio 100|99,00|P|Director de Proyectos, canje por publicidad|
Clínicas Materno Infantil|Enlace Corporativo 50||P||ok
Transportes Ulúa Norte|Enlace Corporativo 50||P||ok
Embotelladora Agua Fresca|Enlace Corporativo 100||P||ok
Empacadora San Lorenzo|Enlace Corporativo 50||T||late
Granja Marina del Golfo|Enlace Dedicado 20||T||ok
Camaronera Bahía Azul|Enlace Dedicado 20||T||
Zona Libre Las Jacarandas|Enlace Corporativo 100||P||ok
Financiera Credi Sula|Enlace Corporativo 50||P||ok
Aseguradora El Encino|Enlace Dedicado 20||P||ok
Constructora Pinares|Enlace Corporativo 50||P||
Editorial Nuevo Día|Enlace Corporativo 50||P||ok
Bananera Campo Rojo|Enlace Dedicado 20||T||ok
Procesadora de Palma Tocoa|Enlace Corporativo 100||T||
Residencial Los Castaños|Enlace Corporativo 50||P||ok
Hostal Puerta del Caribe|Enlace Dedicado 20||P||late
Avícola El Cortijo|Enlace Corporativo 50||P||ok
Tabacos de Santa Rosa|Enlace Dedicado 20||P||
"""
COLUMNS = (
    "Código;Nombre o razón social;RTN;Dirección;Ciudad;Contacto administrativo;Correo administrativo;Teléfono administrativo;"
    "Contacto técnico;Correo técnico;Teléfono técnico;Correo de facturación;Gestor de cobros;Contrato;Inicio de contrato;Fin de contrato;"
    "Es ISP;Negociación especial;Plan;Precio;Entrega;Usuario;Nodo;Plan 2;Precio 2;Usuario 2;Estado;Último mes facturado;Factura pendiente;"
    "Fecha factura;Vence;Total factura;Saldo;Factura pendiente 2;Fecha factura 2;Vence 2;Total factura 2;Saldo 2;Observaciones"
)
