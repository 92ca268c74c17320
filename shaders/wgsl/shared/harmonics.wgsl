// Factors of the real spherical harmonics up to order 2 (Ramamoorthi and Hanrahan 2001, eq. 3): Y00 · Y1m · Y2m of a product · Y20 · Y22.
const Y_0: f32 = 0.282095;
const Y_1: f32 = 0.488603;
const Y_2: f32 = 1.092548;
const Y_20: f32 = 0.315392;
const Y_22: f32 = 0.546274;
